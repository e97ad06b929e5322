/**
 * Conversations to be played to two servers, from text.
 *
 *     # a remark
 *     = name of the conversation [corpus] [deliver=n] [alone] [alt] [dots]
 *     A SELECT INBOX                  a connection's name and a command; tags are made
 *     A APPEND INBOX {5+}\r\nhello    \r\n is a line end within; {5}\r\n waits for the continuation
 *     :uid APPENDUID \d+ (\d+)        keeps what a pattern finds in the answer before, for each server its own: $uid
 *     % A UID FETCH …                 the order of the untagged answers is free
 *     ~ reason                        the answers to the command before differ, for a reason that docs/imapd.8.md lists
 *
 * Every conversation has a user of its own; `[alone]` keeps others away while it changes what all users see; `[corpus]` fills INBOX with the messages of corpus.ts. The user's name is $user.
 */
export interface Step {
  readonly line: number
  readonly connection: string
  /** latin1, without tag and the last line end */
  readonly command: string
  /** the order of untagged answers does not count */
  readonly unordered: boolean
  /** what is kept of its answer */
  readonly captures: { readonly name: string; readonly pattern: RegExp }[]
  /** why the servers differ here; undefined if they must not */
  reason: string | undefined
}

export interface Script {
  readonly file: string
  readonly name: string
  /** words in brackets after the name */
  readonly options: ReadonlySet<string>
  readonly steps: Step[]
}

/** @param file for messages  @throws {Error} naming file and line */
export function parseScripts(text: string, file: string): Script[] {
  const scripts: Script[] = []
  const wrong = (line: number, problem: string) => new Error(`${file}:${line}: ${problem}`)
  text.split('\n').forEach((raw, at) => {
    const line = at + 1
    const trimmed = raw.trimStart()
    if (trimmed === '' || trimmed.startsWith('#')) return
    const head = /^= ?(.*?)((?: \[[^\]]*\])*)$/.exec(trimmed)
    if (head) {
      const options = new Set([...head[2]!.matchAll(/\[([^\]]*)\]/g)].map((match) => match[1]!))
      scripts.push({ file, name: head[1]!, options, steps: [] })
      return
    }
    const script = scripts.at(-1)
    if (!script) throw wrong(line, 'a conversation begins with "= name"')
    const last = script.steps.at(-1)
    const keep = /^:(\w+) (.*)$/.exec(trimmed)
    if (keep || trimmed.startsWith('~')) {
      if (!last) throw wrong(line, 'no command stands before this')
      if (keep) last.captures.push({ name: keep[1]!, pattern: new RegExp(keep[2]!) })
      else last.reason = trimmed.slice(1).trim()
      return
    }
    const step = /^(% )?([A-Z]) (.*)$/.exec(trimmed)
    if (!step) throw wrong(line, `no step: ${trimmed.slice(0, 60)}`)
    const command = step[3]!.replaceAll('\\r\\n', '\r\n').replaceAll('\\0', '\0')
    script.steps.push({
      line,
      connection: step[2]!,
      command,
      unordered: step[1] !== undefined,
      captures: [],
      reason: undefined,
    })
  })
  return scripts
}
