/** The IMAP grammar: tables of good and bad input, and seeded random round trips. */
import t from 'tap'
import { ArgumentReader, announcedLiteral } from '../../lib/imap/argument_reader.js'
import { formatDateTime, parseDateTime, parseDay } from '../../lib/imap/date_time.js'
import { parseFetchItems } from '../../lib/imap/fetch_items.js'
import { ListPattern } from '../../lib/imap/list_pattern.js'
import { decodeMailboxUtf7, encodeMailboxUtf7 } from '../../lib/imap/mailbox_utf7.js'
import { parseSearch, UnknownCharsetError } from '../../lib/imap/search_keys.js'
import {
  formatNumbers,
  formatSequenceSet,
  includes,
  parseSequenceSet,
  type Range,
  resolve,
} from '../../lib/imap/sequence_set.js'
import { ImapSyntaxError } from '../../lib/imap/syntax_error.js'
import { astring, literalHead, quotedOrLiteral } from '../../lib/imap/wire_text.js'

const reader = (text: string) => {
  const args = new ArgumentReader(Buffer.from(text, 'latin1'))
  args.command = 'Test'
  return args
}

/** What a parser says is wrong; undefined when it is satisfied. */
const problemOf = (parse: () => unknown): string | undefined => {
  try {
    parse()
  } catch (error) {
    if (error instanceof ImapSyntaxError) return error.problem
    throw error
  }
  return undefined
}

let seed = 12345
const random = (below: number) => {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
  return (seed >>> 8) % below
}

t.test('sequence sets', (t) => {
  const good: [string, number, string][] = [
    ['1', 10, '1'],
    ['1:3,7,*', 10, '1:3,7,10'],
    ['*:4', 10, '4:10'],
    ['5:2,3', 10, '2:5'],
    ['1,2,3,5', 10, '1:3,5'],
    ['*', 0, ''],
    ['1:*', 0, ''],
    ['12:*', 10, '10:12'],
    ['4294967295', 10, '4294967295'],
    ['1:4294967295', 10, '1:4294967295'],
  ]
  for (const [text, largest, want] of good) {
    const set = parseSequenceSet(text)
    t.equal(formatSequenceSet(resolve(set, largest)), want, text)
    t.equal(formatSequenceSet(set), text)
  }
  const bad: [string, number][] = [
    ['', 1],
    ['0', 1],
    ['1:', 3],
    [',1', 1],
    ['1,', 3],
    ['1::2', 3],
    ['1-2', 2],
    ['4294967296', 1],
    ['1,0', 3],
    ['1:2:3', 4],
    ['x', 1],
  ]
  for (const [text, column] of bad) {
    t.equal(
      problemOf(() => parseSequenceSet(text)),
      'Invalid sequence',
      text,
    )
    t.throws(() => parseSequenceSet(text), new RegExp(`at column ${column}:`), text)
  }
  for (let round = 0; round < 500; round += 1) {
    const ranges: Range[] = Array.from({ length: 1 + random(8) }, () => ({
      first: 1 + random(60),
      last: 1 + random(60),
    }))
    const resolved = resolve(parseSequenceSet(formatSequenceSet(ranges)), 60)
    const members = (list: readonly Range[], n: number) =>
      list.some(({ first, last }) => n >= Math.min(first, last) && n <= Math.max(first, last))
    const all = Array.from({ length: 60 }, (_, index) => index + 1)
    const wanted = all.filter((n) => members(ranges, n))
    t.same(
      all.filter((n) => includes(resolved, n)),
      wanted,
      formatSequenceSet(ranges),
    )
    t.equal(formatNumbers(wanted), formatSequenceSet(resolved))
  }
  t.end()
})

t.test('arguments', (t) => {
  const args = reader('word "quo\\"ted" {3}\r\na)b {4+}\r\nlite (\\Seen kw) 42 ')
  t.equal(args.astring().toString(), 'word')
  args.space()
  t.equal(args.astring().toString(), 'quo"ted')
  args.space()
  t.equal(args.astring().toString(), 'a)b')
  args.space()
  t.equal(args.astring().toString(), 'lite')
  args.space()
  t.same(
    args.list(() => args.flag('bad')),
    ['\\Seen', 'kw'],
  )
  args.space()
  t.equal(args.number(), 42)
  t.equal(
    problemOf(() => args.end()),
    'Unexpected extra arguments to Test',
  )
  t.equal(reader('iNbOx').mailbox(), 'INBOX')
  t.equal(reader('a]b').mailbox(), 'a]b')
  t.equal(reader('%x*').listMailbox().toString(), '%x*')
  for (const bad of ['"open', '"a\r\nb"', '{5}\r\nabc', '{x}', '', '(', '{99999999999}\r\n'])
    t.throws(() => reader(bad).astring(), ImapSyntaxError, JSON.stringify(bad))
  t.throws(() => reader('abc').space(), { message: 'Missing required argument to Test at column 1' })
  t.equal(
    problemOf(() => reader('(a b').list(() => '')),
    'Missing close parenthesis in Test',
  )
  t.same(announcedLiteral(Buffer.from('a LOGIN {10}')), { size: 10, synchronizing: true })
  t.same(announcedLiteral(Buffer.from('a LOGIN {10+}')), { size: 10, synchronizing: false })
  t.equal(announcedLiteral(Buffer.from('a LOGIN {x}')), undefined)
  t.equal(announcedLiteral(Buffer.from('a LOGIN {10} ')), undefined)
  t.end()
})

t.test('strings on the wire', (t) => {
  t.equal(astring('INBOX'), 'INBOX')
  t.equal(astring(''), '""')
  t.equal(astring('two words'), '"two words"')
  t.equal(astring('nil'), '"nil"')
  t.equal(astring('a"b'), '{3}\r\na"b')
  t.equal(quotedOrLiteral('ä'), '{1}\r\nä')
  t.equal(literalHead(0), '""')
  for (let round = 0; round < 300; round += 1) {
    const text = String.fromCharCode(...Array.from({ length: random(12) }, () => random(256)))
    t.equal(reader(astring(text)).astring().toString('latin1'), text, JSON.stringify(text))
  }
  t.end()
})

t.test('modified UTF-7', (t) => {
  for (const [text, name] of [
    ['~peter/mail/台北/日本語', '~peter/mail/&U,BTFw-/&ZeVnLIqe-'],
    ['Entwürfe', 'Entw&APw-rfe'],
    ['a&b', 'a&-b'],
    ['😀', '&2D3eAA-'],
  ] as const) {
    t.equal(encodeMailboxUtf7(text), name)
    t.equal(decodeMailboxUtf7(name), text)
  }
  for (const bad of ['ä', '&', '&AOQ', '&AGE-', '&U,BT-', '&2D0-', '&=-'])
    t.throws(() => decodeMailboxUtf7(bad), RangeError, bad)
  t.end()
})

t.test('dates', (t) => {
  t.equal(parseDateTime(' 1-Jan-2020 10:00:00 +0100'), 1577869200)
  t.equal(parseDateTime('1-Jan-2020 10:00:00 +0100'), 1577869200, 'one digit alone')
  t.equal(parseDateTime('29-feb-2024 00:00:00 -0530'), 1709184600)
  for (const bad of [
    'bad',
    '30-Feb-2024 00:00:00 +0000',
    '0-Jan-2020 10:00:00 +0000',
    '01-Jan-2020 24:00:00 +0000',
    '01-Jan-1960 10:00:00 +0000',
  ])
    t.equal(parseDateTime(bad), undefined, bad)
  for (let round = 0; round < 200; round += 1) {
    const seconds = random(2 ** 24) * 250
    t.equal(parseDateTime(formatDateTime(seconds)), seconds)
  }
  const day = parseDay('1-Feb-1994')!
  t.equal(day.start, new Date(1994, 1, 1).getTime() / 1000)
  t.equal(day.end, new Date(1994, 1, 2).getTime() / 1000)
  t.equal(parseDay('31-Apr-1994'), undefined)
  t.end()
})

t.test('patterns of LIST', (t) => {
  const cases: [string, string, boolean][] = [
    ['*', 'INBOX.a.b', true],
    ['%', 'INBOX', true],
    ['%', 'INBOX.a', false],
    ['INBOX.%', 'INBOX.a', true],
    ['INBOX.%', 'INBOX.a.b', false],
    ['INBOX%', 'INBOX', true],
    ['*%', 'a.b', true],
    ['%.%', 'a.b', true],
    ['*b', 'a.b', true],
    ['a*c', 'abd', false],
    ['', '', true],
    ['INBOX', 'inbox', false],
  ]
  for (const [pattern, name, want] of cases)
    t.equal(new ListPattern(pattern, '.').matches(name), want, `${pattern} ${name}`)
  const start = performance.now()
  t.equal(new ListPattern(`${'%a*'.repeat(100)}b`, '.').matches('a'.repeat(400)), false)
  t.ok(performance.now() - start < 10_000, 'no pattern explodes')
  t.end()
})

t.test('FETCH items', (t) => {
  const parsed = parseFetchItems(
    reader('(FLAGS uid BODY.PEEK[1.2.HEADER.FIELDS ("Subject" x-y)]<5.10> BODY[] rfc822.text BODY[3.MIME])'),
  )
  t.same([...parsed.metadata], ['FLAGS', 'UID'])
  t.equal(parsed.body, false)
  t.same(
    parsed.sections.map(({ label, path, item, marksSeen }) => [label, path, item, marksSeen]),
    [
      ['RFC822.TEXT', [], 'TEXT', true],
      ['BODY[1.2.HEADER.FIELDS (Subject x-y)]<5>', [1, 2], 'HEADER.FIELDS', false],
      ['BODY[]', [], '', true],
      ['BODY[3.MIME]', [3], 'MIME', true],
    ],
  )
  t.same([...parsed.sections[1]!.fields], ['subject', 'x-y'])
  t.match(parseFetchItems(reader('full')), { envelope: true, body: true })
  t.same([...parseFetchItems(reader('full')).metadata], ['FLAGS', 'INTERNALDATE', 'RFC822.SIZE'])
  for (const [bad, problem] of [
    ['FOO', 'Invalid Fetch attribute FOO'],
    ['()', 'Invalid Fetch attribute'],
    ['(FLAGS', 'Missing close parenthesis in Test'],
    ['BODY[1', 'Invalid body section'],
    ['BODY[FOO]', 'Invalid body section'],
    ['BODY[MIME]', 'Invalid body section'],
    ['BODY[1.]', 'Invalid body section'],
    ['BODY[1HEADER]', 'Invalid body section'],
    ['BODY[]<0>', 'Invalid body partial'],
    ['BODY[]<0.0>', 'Invalid body partial'],
    ['BODY[HEADER.FIELDS ()]', 'Invalid body section'],
    ['BODY.PEEK', 'Invalid Fetch attribute BODY.PEEK'],
  ] as const)
    t.equal(
      problemOf(() => parseFetchItems(reader(bad))),
      problem,
      bad,
    )
  t.end()
})

t.test('SEARCH programs', (t) => {
  const parse = (text: string) => parseSearch(reader(text), 1000).key
  t.same(parse('ALL'), { type: 'all' })
  t.same(parse('UNSEEN 2:4'), {
    type: 'and',
    keys: [
      { type: 'not', key: { type: 'flag', flag: '\\Seen' } },
      { type: 'sequence', set: [{ first: 2, last: 4 }] },
    ],
  })
  t.same(parse('OR (FROM "A  B") NOT KEYWORD x'), {
    type: 'or',
    keys: [
      { type: 'header', name: 'from', value: 'a b' },
      { type: 'not', key: { type: 'keyword', name: 'x' } },
    ],
  })
  t.same(parse('CHARSET utf-8 SUBJECT {7}\r\n\xc3\xa4\xc3\xb6\xc3\xbcX'), {
    type: 'header',
    name: 'subject',
    value: 'aoux',
  })
  t.same(parse('CHARSET iso-8859-1 BODY {1}\r\n\xc9'), { type: 'body', value: 'e' })
  t.same(parse('OLDER 10'), { type: 'date', field: 'internaldate', from: 0, before: 991 })
  t.throws(() => parse('CHARSET x-none ALL'), UnknownCharsetError)
  for (const [bad, problem] of [
    ['', 'Invalid Search criteria'],
    ['FOO', 'Invalid Search criteria'],
    ['(ALL', 'Missing required close paren in Search command'],
    ['SINCE x', 'Invalid date in Search command'],
    ['LARGER x', 'Invalid number in Search command'],
    ['FROM', 'Missing required argument to Test'],
    ['1:', 'Invalid sequence in Test'],
    [`${'NOT '.repeat(100)}ALL`, 'Search criteria too complex'],
    ['('.repeat(100_000), 'Search criteria too complex'],
    [`ALL${' ALL'.repeat(10_000)}`, 'Search criteria too complex'],
  ] as const)
    t.equal(
      problemOf(() => parse(bad)),
      problem,
      bad.slice(0, 40),
    )
  t.end()
})

t.test('random bytes give a value or a syntax error, never another one', (t) => {
  const pieces = [
    '(',
    ')',
    '"',
    '{3}\r\nabc',
    '{3+}\r\n',
    ' ',
    'BODY[',
    ']',
    '<1.2>',
    'HEADER.FIELDS',
    'OR',
    'NOT',
    '1:*',
    '\\',
    '\xff',
    'FROM',
    'x',
    '\0',
    '*',
    'CHARSET utf-8 ',
  ]
  for (let round = 0; round < 3000; round += 1) {
    const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join('')
    for (const parse of [
      parseFetchItems,
      (args: ArgumentReader) => parseSearch(args, 0),
      (args: ArgumentReader) => args.listMailbox(),
    ]) {
      try {
        parse(reader(text))
      } catch (error) {
        if (!(error instanceof ImapSyntaxError || error instanceof UnknownCharsetError))
          t.fail(`${JSON.stringify(text)}: ${error}`)
      }
    }
  }
  t.end()
})
