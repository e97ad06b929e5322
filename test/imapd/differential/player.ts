/** Plays conversations to one server and keeps what it answered. */
import { ADMIN, type Instance } from '../../lab/instance.js'
import { Wire } from '../wire.js'
import { CORPUS } from './corpus.js'
import type { Script, Step } from './script.js'

/** What one step was answered: untagged lines, then the tagged one (or `+ …`, or `EOF`), literals in them, latin1. */
export type Answers = string[]

const PATIENCE_MS = 20_000

/** A connection with its tags. */
class Speaker {
  #tags = 0
  /** tag of a command that waits for more from the client (IDLE) */
  open: string | undefined

  private constructor(readonly wire: Wire) {}

  /** Connects and reads the greeting. */
  static async open(port: number): Promise<Speaker> {
    const wire = await Wire.open(port, PATIENCE_MS)
    await wire.next()
    return new Speaker(wire)
  }

  nextTag(): string {
    this.#tags += 1
    return `t${this.#tags}`
  }
}

/** Sends a command and reads up to its tagged answer, or to where it waits for more. */
async function exchange(speaker: Speaker, command: string): Promise<Answers> {
  const { wire } = speaker
  const answers: Answers = []
  const pieces = command.split(/(?<=\{\d+\}\r\n)/)
  let tag = speaker.open
  if (tag === undefined) {
    tag = speaker.nextTag()
    pieces[0] = `${tag} ${pieces[0]}`
  }
  speaker.open = undefined
  pieces[pieces.length - 1] += '\r\n'
  wire.write(pieces.shift()!)
  for (;;) {
    const answer = await wire.next()
    answers.push(answer.replace(`${tag} `, 'tag '))
    if (answer === 'EOF' || answer.startsWith(`${tag} `)) return answers
    if (!answer.startsWith('+')) continue
    const piece = pieces.shift()
    if (piece !== undefined) wire.write(piece)
    else {
      speaker.open = tag
      return answers
    }
  }
}

async function mustBeOk(speaker: Speaker, command: string): Promise<void> {
  const answers = await exchange(speaker, command)
  if (!/^tag OK/.test(answers.at(-1)!)) throw new Error(`${command.slice(0, 60)}: ${answers.at(-1)}`)
}

/** A server that conversations are played to. */
export class Player {
  #admin: Speaker | undefined
  /** the last user being made: the administrator's connection does one thing at a time */
  #making: Promise<void> = Promise.resolve()

  constructor(readonly instance: Instance) {}

  /** @param user the conversation's own; made here  @returns the answers of every step */
  async play(script: Script, user: string): Promise<Answers[]> {
    this.#making = this.#making.then(() => this.#makeUser(user))
    await this.#making
    const speakers = new Map<string, Speaker>()
    const kept = new Map<string, string>([['user', user]])
    const answered: Answers[] = []
    try {
      if (script.options.has('corpus')) {
        const speaker = await this.#login(user)
        for (const { message, options } of CORPUS)
          await mustBeOk(speaker, `APPEND INBOX ${options} {${message.length}+}\r\n${message}`)
        await mustBeOk(speaker, 'SELECT INBOX') // takes \Recent
        await mustBeOk(speaker, 'LOGOUT')
        speaker.wire.socket.destroy()
      }
      for (const step of script.steps) {
        let speaker = speakers.get(step.connection)
        if (!speaker) {
          speaker =
            step.connection === 'X'
              ? await this.#login('')
              : await this.#login(step.connection === 'Z' ? ADMIN.user : user)
          speakers.set(step.connection, speaker)
        }
        const answers = await exchange(speaker, expand(step, kept))
        answered.push(answers)
        for (const { name, pattern } of step.captures) {
          const found = pattern.exec(answers.join('\n'))
          kept.set(name, found?.[1] ?? found?.[0] ?? 'NOTHING')
        }
      }
    } finally {
      for (const { wire } of speakers.values()) wire.socket.destroy()
    }
    return answered
  }

  async #makeUser(user: string): Promise<void> {
    if (!this.#admin) {
      this.#admin = await Speaker.open(this.instance.ports.imap)
      await mustBeOk(this.#admin, `LOGIN ${ADMIN.user} ${ADMIN.password}`)
    }
    const separator = this.instance.plan.imapd.unixhierarchysep === 'no' ? '.' : '/'
    await mustBeOk(this.#admin, `CREATE user${separator}${user}`)
  }

  close(): void {
    this.#admin?.wire.socket.destroy()
  }

  /** As that user, by the administrator's authority, so that nobody needs a password; as nobody for ''. */
  async #login(user: string): Promise<Speaker> {
    const speaker = await Speaker.open(this.instance.ports.imap)
    if (user === '') return speaker
    const proof = Buffer.from(`${user}\0${ADMIN.user}\0${ADMIN.password}`).toString('base64')
    await mustBeOk(speaker, `AUTHENTICATE PLAIN ${proof}`)
    return speaker
  }
}

function expand(step: Step, kept: ReadonlyMap<string, string>): string {
  return step.command.replace(/\$(\w+)/g, (whole, name: string) => kept.get(name) ?? whole)
}
