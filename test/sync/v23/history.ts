/**
 * The captured conversations of Cyrus 2.3.8 as one history of one pair of servers: their order, what happened between them without being
 * captured, and where ours answers otherwise, with the reason. Not a test.
 */
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Run, readCapture } from '../capture.js'

/** The captures are not compiled, so they are looked for from dist/test/sync/v23. */
const folder = fileURLToPath(new URL('../../../../test/sync/v23/captures/', import.meta.url))

export function captureNames(): string[] {
  return readdirSync(folder).filter((name) => name.endsWith('.txt'))
}

/** Number of a capture: `17b` of `17b-annotation-private-log.txt`. */
export function numberOf(name: string): string {
  return name.slice(0, name.indexOf('-'))
}

/** Captures in the order in which they happened; 00 and 33b stand alone. */
export const ORDER = (
  '01 02 03 04 05 06 07 08 09 10 11 11b 12 13 14 15 16 17 18 17b 18b 19 20 21 22 23 24 25 26 27 28 29 29b 30 31 32 ' +
  '33 34 35 37 36 38 39 39b 41 42 40 43 44 45 46 47'
).split(' ')

/** The conversations of a capture, a connection each. */
export function conversations(number: string): Run[][] {
  const name = captureNames().find((each) => numberOf(each) === number)
  if (name === undefined) throw new Error(`no capture ${number}`)
  const found: Run[][] = [[]]
  for (const run of readCapture(name, folder)) {
    if (run.text === '') {
      if (found.at(-1)!.length > 0) found.push([])
    } else found.at(-1)!.push(number === '38' ? { ...run, text: uncut(run.text) } : run)
  }
  return found
}

/** The comments at a capture's head, and what it was fed with. */
export function whole(number: string): string {
  return captureNames().find((each) => numberOf(each) === number)!
}

/** Puts back what was cut out of the UPLOAD of 1001 messages; cache records are left out there. */
function uncut(text: string): string {
  const end = text.indexOf(' PARSED 0101006b04171100020003f3 1001 ')
  if (end < 0) return text
  let middle = ''
  for (let n = 1; n < 1000; n++) {
    const message = `Subject: b${n}\r\n\r\nx\r\n`
    const uuid = `0101006b0417110002${(0x0b + n).toString(16).padStart(6, '0')}`
    middle += ` PARSED ${uuid} ${n + 1} 1170787759 1795430549 1795430549 1 () ${message.length - 3} 1 2 {0+}\r\n{${message.length}+}\r\n${message}`
  }
  return text.slice(0, end) + middle + text.slice(end)
}

const ACL2 = '"user2\tlrswipkxtecda\t"'

/** An upload that was not captured: messages by UID, without much in them. */
function upload(
  mailbox: string,
  lastUid: number,
  items: readonly [uid: number, uuid: string, flags?: string][],
): string[] {
  const texts = items.map(([uid, uuid, flags = '()']) => {
    const message = `Subject: gap ${mailbox} ${uid}\r\n\r\nx\r\n`
    return ` SIMPLE ${uuid} ${uid} 1170787759 1170763200 1795430330 1 ${flags} {${message.length}+}\r\n${message}`
  })
  return [`SELECT ${mailbox}`, `UPLOAD ${lastUid} 1795430330${texts.join('')}`]
}

/** What had happened on the replica before a capture, as commands that bring it about. */
export const GAPS: Readonly<Record<string, readonly string[]>> = {
  '32': [`CREATE user.user2.x default 42c62f026b0417b8 ${ACL2} 0 1 1795430328`],
  '33': ['SELECT user.user1', 'SETFLAGS 1 ()'],
  '36': [
    ...upload('user.user2', 5, [
      [1, '0101006b0417110001000006', '(\\flagged)'],
      [2, '0101006b0417110001000007'],
      [3, '0101006b0417110001000008'],
      [4, '0101006b0417110002000000'],
      [5, '0101006b0417110002000001'],
    ]),
    ...upload('user.user2.x', 2, [[2, '0101006b0417110002000002']]),
  ],
  '39': [
    `CREATE user.user2.conf default 604a04d36b0418f8 ${ACL2} 0 1 1795430648`,
    ...upload('user.user2.conf', 4, [
      [1, '0101006b04171100020003f4'],
      [2, '0101006b04171100020003f5'],
      [3, '010200000000000000010003'],
      [4, '000000000000000000000000'],
    ]),
  ],
  '41': upload('user.user2.conf', 4, [[4, '000000000000000000000000']]),
  '43': ['DELETE user.user2'],
  '44': upload('user.user2.x', 7, [
    [4, '0101006b04171100020003f4'],
    [5, '0101006b04171100020003f5'],
    [6, '0101006b04171100020003f6'],
    [7, '000000000000000000000000'],
  ]),
}

/** Where our server's answer is not the captured one. */
export interface Difference {
  /** beginning of the command */
  readonly command: string
  /** what becomes of the captured answer */
  readonly ours: (captured: string) => string
  readonly why: string
}

/** Of 1001 messages listed, those that were left in the capture. */
const uncutList = (captured: string): string => {
  let lines = ''
  for (let n = 8; n < 1001; n++)
    lines += `* ${n + 1} 0101006b0417110002${(0x0b + n).toString(16).padStart(6, '0')} ()\r\n`
  return captured.replace(/(\* 8 0101006b0417110002000012 \(\)\r\n)/, `$1${lines}`)
}

const SCRIPTS: Difference = {
  command: 'USER user1',
  ours: (captured) => captured.replace('OK User', '**** main.script 1795430274\r\n**** main.bc 1795430274\r\nOK User'),
  why: '2.3.8 lists the scripts of the administrator who asks instead of the user’s (§13)',
}

export const DIFFERENCES: Readonly<Record<string, readonly Difference[]>> = {
  '00': [
    { command: 'EXIT', ours: () => 'OK Finished\r\n', why: '2.3.8 refuses EXIT to who is no administrator (§13)' },
  ],
  '23': [SCRIPTS],
  '24': [SCRIPTS],
  '33': [
    {
      command: 'EXPUNGE 1',
      ours: () => 'NO Mailbox not open\r\n',
      why: '2.3.8 takes the rest of the line for a command (§13)',
    },
    {
      command: 'MAILBOXES user.zed',
      ours: (captured) => captured.replace(' 0 1\r\n', ' 0 0\r\n'),
      why: '2.3.8 shows options 1 until the first UPLOAD, although CREATE said 0, which is what it shows from then on (capture 35)',
    },
  ],
  '33b': [
    { command: 'UNLOCK', ours: () => 'NO Failed to unlock: not locked\r\n', why: '2.3.8 crashes (§13)' },
    { command: 'SETFLAGS', ours: () => 'NO Mailbox not open\r\n', why: '2.3.8 crashes (§13)' },
  ],
  '44': [{ command: 'USER user2', ours: uncutList, why: 'most of a list of 1001 messages was cut out of the capture' }],
  '46': [
    {
      command: 'RESERVE user.user2.conf 010101010101010101010101',
      ours: (captured) => `* 0101006b04171100020003f4\r\n${captured}`,
      why: 'in 2.3.8 a UUID that is not there blocks those behind it (§4.6)',
    },
    {
      command: 'RESERVE user.user2.conf 0101006b04171100020003f4 0101006b04171100020003f6',
      ours: (captured) => captured.replace('* 0101006b04171100020003f4\r\n', ''),
      why: 'it is staged already, by the first command, and so not named again',
    },
  ],
}
