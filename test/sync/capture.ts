/** Reads the captured conversations beside this file: exact bytes of each side, in runs. Not a test. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The captures are not compiled, so they are looked for from dist/test/sync. */
const folder = fileURLToPath(new URL('../../../test/sync/captures/', import.meta.url))

/** What one side said before the other spoke; text of bytes. */
export interface Run {
  readonly side: 'client' | 'server'
  readonly text: string
}

export function captureNames(): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.txt'))
}

/** The runs of a capture; each further connection begins with a run of the server without text. @param from its folder */
export function readCapture(name: string, from = folder): Run[] {
  const runs: Run[] = []
  for (const line of readFileSync(from + name, 'latin1').split('\n')) {
    if (/^# --- connection/.test(line)) runs.push({ side: 'server', text: '' })
    const match = /^([CS])([:|])(?: |$)(.*)$/s.exec(line)
    if (match === null) continue
    const escapes: Record<string, string> = { r: '\r', n: '\n', t: '\t', '\\': '\\' }
    const text = match[3]!.replace(/\\(?:([rnt\\])|x([0-9A-Fa-f]{2}))/g, (_, letter: string, hex: string) =>
      letter ? escapes[letter]! : String.fromCharCode(Number.parseInt(hex, 16)),
    )
    const side = match[1] === 'C' ? 'client' : 'server'
    const last = runs.at(-1)
    const whole = text + (match[2] === ':' ? '\r\n' : '')
    if (last?.side === side && last.text !== '') runs[runs.length - 1] = { side, text: last.text + whole }
    else runs.push({ side, text: whole })
  }
  return runs
}
