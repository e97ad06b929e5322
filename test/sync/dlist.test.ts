/** dlist: reading and writing by table, bad input with its message, in pieces of every size; then every captured command of real peers, byte-exact. */
import t from 'tap'
import { type Dlist, DlistFile, DlistMap, field, kvlist, list, scalar } from '../../lib/sync/dlist.js'
import { type DlistLimits, DlistParser } from '../../lib/sync/dlist_parser.js'
import { parseRecords, parseSince, parseState, writeMailbox } from '../../lib/sync/mailbox_codec.js'
import {
  parseAnnotation,
  parseQuota,
  parseSeen,
  parseSubscription,
  writeAnnotation,
  writeQuota,
  writeSeen,
  writeSubscription,
} from '../../lib/sync/user_codec.js'
import { captureNames, readCapture } from './capture.js'

/** Parses one `KEY value` line given in pieces of `size` bytes. */
function parse(text: string, size = text.length, limits?: DlistLimits): { key: string; value: Dlist; used: number } {
  const parser = new DlistParser(limits)
  let given = 0
  let rest = ''
  const more = (): boolean => {
    if (given >= text.length) return false
    rest += text.slice(given, given + size)
    given += size
    return true
  }
  more()
  for (;;) {
    const need = parser.parse(rest, 0)
    rest = rest.slice(parser.at)
    if (need.need === 'nothing')
      return {
        key: parser.key!,
        value: parser.value!,
        used: text.length - rest.length - Math.max(0, text.length - given),
      }
    if (need.need === 'text') {
      if (!more()) throw new Error('incomplete')
      continue
    }
    while (rest.length < need.size) if (!more()) throw new Error('incomplete')
    const bytes = rest.slice(0, need.size)
    rest = rest.slice(need.size)
    if (need.need === 'literal') parser.literal(bytes)
    else parser.file(bytes)
  }
}

/** A plain picture of a value. */
function show(value: Dlist): unknown {
  if (value instanceof DlistMap) return { map: value.keys.map((key, at) => [key, show(value.values[at]!)]) }
  if (value instanceof DlistFile) return { file: [value.partition, value.guid, value.size, value.content] }
  return Array.isArray(value) ? value.map((item) => show(item as Dlist)) : value
}

const GUID = 'a46dba959d41f9c18545829f6d19731ee3b85533'

t.test('reading', async (t) => {
  const table: Array<[string, unknown]> = [
    ['USER alice\r\n', 'alice'],
    ['USER alice\n', 'alice'],
    ['USER NIL\r\n', null],
    ['USER "NIL"\r\n', 'NIL'],
    ['USER {3+}\r\nNIL\r\n', 'NIL'],
    ['USER {3}\r\na\r\n\r\n', 'a\r\n'],
    ['USER ""\r\n', ''],
    ['USER "a\\"b\\\\c"\r\n', 'a"b\\c'],
    ['LIST ()\r\n', []],
    ['LIST (  a   b  )\r\n', ['a', 'b']],
    ['LIST (a\r\n b\r\n)\r\n', ['a', 'b']],
    ['LIST (\\Seen $Work a%b{c*d\\e)\r\n', ['\\Seen', '$Work', 'a%b{c*d\\e']],
    ['LIST (a(b "c"d))\r\n', ['a', ['b', 'c', 'd']]],
    ['MAP %()\r\n', { map: [] }],
    [
      'MAP %( ROOT  user.bob LIMIT "10" "STORAGE" {2+}\r\n10 MODSEQ 3 )\r\n',
      {
        map: [
          ['ROOT', 'user.bob'],
          ['LIMIT', '10'],
          ['STORAGE', '10'],
          ['MODSEQ', '3'],
        ],
      },
    ],
    [
      `MESSAGE (%{default ${GUID} 5}\r\na\r\n)( %{"two words" ${GUID.toUpperCase()} 0}\r\n NIL)\r\n`,
      [{ file: ['default', GUID, 5, 'a\r\n)('] }, { file: ['two words', GUID, 0, ''] }, null],
    ],
    ['X \t%(A b)  \r\n', { map: [['A', 'b']] }],
  ]
  for (const [text, wanted] of table) {
    for (const size of [1, 2, 3, 7, 1000])
      t.strictSame(show(parse(text, size).value), wanted, `${JSON.stringify(text)} by ${size}`)
    t.equal(parse(text).used, text.length)
  }
  const twice = parse('M %(A 1 A 2)\r\n').value as DlistMap
  t.equal(twice.get('A'), '1', 'of repeated keys the first counts')
})

t.test('bad input', async (t) => {
  const table: Array<[string, RegExp]> = [
    ['\r\n', /no name/],
    ['USER\r\n', /no value after USER/],
    ['USER )\r\n', /"\)" without "\("/],
    ['USER %x\r\n', /"%" that begins neither/],
    ['USER % (A b)\r\n', /"%" that begins neither/],
    ['USER %{default xyz 3}\r\n', /malformed a file literal/],
    [`USER %{default ${GUID} 99999999999}\r\n`, /malformed a file literal/],
    [`USER %{default ${GUID} 9999999999}\r\n`, /file of 9999999999 bytes/],
    ['USER {12\r\n', /malformed a literal/],
    ['USER {12} x\r\n', /malformed a literal/],
    ['USER "abc\r\n', /line end inside a quoted string/],
    ['USER "abc\\\r\n', /line end inside a quoted string/],
    ['USER a b\r\n', /something after the value/],
    ['USER %(A)\r\n', /no value after A/],
    ['USER %(NIL x)\r\n', /NIL where a key should be/],
    ['USER %((a) x)\r\n', /a list where a key should be/],
    ['NIL x\r\n', /NIL where a name should be/],
    ['(a) x\r\n', /a list where a name should be/],
    [`USER ${'('.repeat(20)}\r\n`, /more than 16 deep/],
    ['USER (a b', /incomplete/],
  ]
  for (const [text, message] of table)
    for (const size of [1, 3, 1000]) t.throws(() => parse(text, size), message, `${JSON.stringify(text)} by ${size}`)
  const limits = { literal: 4, quoted: 4, word: 4 }
  t.throws(() => parse('U {5+}\r\nabcde\r\n', 1, limits), /TOOBIG.*Literal/)
  t.throws(() => parse('U "abcdef"\r\n', 1, limits), /TOOBIG.*Quoted/)
  t.throws(() => parse('U abcdef\r\n', 1, limits), /TOOBIG.*Word/)
  t.equal(parse('U {4+}\r\nabcd\r\n', 1, limits).value, 'abcd')
})

t.test('writing', async (t) => {
  const table: Array<[string | null, string]> = [
    [null, 'NIL'],
    ['', '""'],
    ['NIL', '"NIL"'],
    ['user.alice', 'user.alice'],
    ['user.alice.Old Stuff', '"user.alice.Old Stuff"'],
    ['user.alice.star*', '"user.alice.star*"'],
    ['alice\tlrs\t', '"alice\tlrs\t"'],
    ['user.alice.q&AOk-x', 'user.alice.q&AOk-x'],
    ['user.alice.#sieve', 'user.alice.#sieve'],
    ["it's[]}+/:,$!", "it's[]}+/:,$!"],
    ['\x1f', '\x1f'],
    ['\x01', '"\x01"'],
    ['a(b', '"a(b"'],
    ['\\Drafts', '{7+}\r\n\\Drafts'],
    ['a"b', '{3+}\r\na"b'],
    ['a%b', '{3+}\r\na%b'],
    ['a\r\nb', '{4+}\r\na\r\nb'],
    ['a\0b', '{3+}\r\na\0b'],
    ['\xc3\xa9', '{2+}\r\n\xc3\xa9'],
    ['x'.repeat(1023), 'x'.repeat(1023)],
    ['x'.repeat(1024), `{1024+}\r\n${'x'.repeat(1024)}`],
    [`${'x'.repeat(1022)} `, `"${'x'.repeat(1022)} "`],
  ]
  for (const [value, written] of table) {
    t.equal(scalar(value, 'client'), written, JSON.stringify(value)?.slice(0, 40))
    t.equal(scalar(value, 'server'), written.replace('+}\r\n', '}\r\n'), 'as a server')
    t.equal(parse(`K ${written}\r\n`).value, value, 'and back')
  }
  t.equal(list(['a', 'b c'], 'client'), '(a "b c")')
  t.equal(
    kvlist([
      ['A', '1'],
      ['B', undefined],
      ['C', 2],
    ]),
    '%(A 1 C 2)',
  )
})

t.test('fields', async (t) => {
  const map = parse(`M %(N 007 HEX 0x10 NEG -1 BIG 4294967298 VOID NIL L (a) G ${GUID.toUpperCase()} U "\xc3\xa9")\r\n`)
    .value as DlistMap
  t.equal(field.number(map, 'N'), 7)
  t.throws(() => field.number(map, 'HEX'), /HEX is missing or no number/)
  t.throws(() => field.number(map, 'NEG'), /NEG/)
  t.equal(field.number32(map, 'BIG'), 2)
  t.throws(() => field.string(map, 'VOID'), /VOID is missing/)
  t.throws(() => field.string(map, 'L'), /L is missing/)
  t.throws(() => field.list(map, 'N'), /N is missing or no list/)
  t.equal(field.guid(map, 'G'), GUID)
  t.equal(field.string(map, 'U'), 'é')
})

/** Re-encodes a parsed command or answer as its sender would have written it; undefined for those without a codec. */
function rewrite(key: string, value: Dlist, side: 'client' | 'server'): string | undefined {
  switch (key) {
    case 'MAILBOX':
    case 'LOCAL_MAILBOX': {
      const map = value as DlistMap
      return [...writeMailbox(parseState(value, side), side, parseSince(map), parseRecords(map))].join('')
    }
    case 'QUOTA': {
      if (!(value instanceof DlistMap)) return undefined
      const { root, quota } = parseQuota(value)
      return writeQuota(root, quota, side)
    }
    case 'SEEN': {
      const { userid, uniqueid, entry } = parseSeen(value)
      return writeSeen(userid, uniqueid, entry, side)
    }
    case 'SUB':
    case 'UNSUB': {
      const { userid, name } = parseSubscription(value)
      return writeSubscription(userid, name, side)
    }
    case 'ANNOTATION':
    case 'UNANNOTATION':
      return value instanceof DlistMap
        ? writeAnnotation(parseAnnotation(value, key === 'ANNOTATION'), key === 'ANNOTATION', side)
        : undefined
    default:
      return undefined
  }
}

t.test('every command of the captures: parsed, and written again byte for byte', async (t) => {
  let parsed = 0
  const rewritten: Record<string, number> = {}
  for (const name of captureNames()) {
    // hand-made and deliberately wrong ones are the server tests' business; 79 has a plus sign put in on the way
    const handMade = /^7\d/.test(name)
    for (const { side, text } of readCapture(name)) {
      for (let at = 0; at < text.length; ) {
        const lineEnd = text.indexOf('\n', at) + 1 || text.length
        const head =
          side === 'client'
            ? /(?:S\d+ SYNC)?(?:APPLY|GET) (?=\S+ \S)/y
            : /\* (?=(?:MAILBOX|QUOTA|SEEN|LSUB|SIEVE|ANNOTATION|MESSAGE|MISSING|ENABLED) )/y
        head.lastIndex = at
        if (!head.test(text)) {
          at = lineEnd
          continue
        }
        const line = text.slice(head.lastIndex)
        // the capture leaves the bytes of this one out
        if (line.includes('VALUE {131072}') && line.indexOf('VALUE {131072}') < line.indexOf('\n')) {
          at = lineEnd
          continue
        }
        let result: ReturnType<typeof parse>
        try {
          result = parse(line)
        } catch (error) {
          if (!handMade) throw new Error(`${name}: ${line.slice(0, 200)}`, { cause: error })
          at = lineEnd
          continue
        }
        at = head.lastIndex + result.used
        parsed++
        if (handMade && side === 'client') continue
        const written = rewrite(result.key, result.value, side)
        if (written === undefined) continue
        rewritten[result.key] = (rewritten[result.key] ?? 0) + 1
        let wanted = line.slice(0, result.used)
        if (name.startsWith('79')) wanted = wanted.replace('+}', '}')
        const again = `${result.key} ${written}\r\n`
        if (again !== wanted) t.equal(again, wanted, name)
      }
    }
  }
  t.ok(parsed > 400, `${parsed} parsed`)
  t.ok(
    rewritten.MAILBOX! > 200 && rewritten.QUOTA! > 10 && rewritten.SEEN! > 2 && rewritten.SUB! > 2,
    JSON.stringify(rewritten),
  )
})
