/** The grammar of cyrus.conf and the meaning of its entries: tables of text and outcome. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { parseCyrusConf } from '../../lib/config/cyrus_conf.js'
import { timeOfDay } from '../../master/cron_time.js'
import { type MasterConf, readEntries } from '../../master/entries.js'

const parse = (text: string): { sections: Record<string, unknown>; warnings: string[] } => {
  const warnings: string[] = []
  const conf = parseCyrusConf(text, 'F', (message) => warnings.push(message))
  const sections = Object.fromEntries(
    [...conf.sections].map(([name, entries]) => [
      name,
      entries.map(({ name: entry, line, args }) => `${line} ${entry} ${JSON.stringify(Object.fromEntries(args))}`),
    ]),
  )
  return { sections, warnings }
}

const good: [what: string, text: string, sections: Record<string, string[]>, warnings: RegExp[]][] = [
  ['nothing', '', {}, []],
  [
    'an entry',
    'SERVICES {\n  imap cmd="imapd -s" listen=imap\n}\n',
    { SERVICES: ['2 imap {"cmd":"imapd -s","listen":"imap"}'] },
    [],
  ],
  ['comments, also in quotes', '# c\nSTART { # c\n a cmd=x # y="\n}', { START: ['3 a {"cmd":"x"}'] }, []],
  ['STARTUP is START', 'STARTUP {\na cmd=x\n}', { START: ['2 a {"cmd":"x"}'] }, []],
  ['case after the first letter', 'Services {\n}\nDaemon {\n}', { SERVICES: [], DAEMON: [] }, []],
  ['the first of two equal keys', 'EVENTS {\na cmd=x cmd=y\n}', { EVENTS: ['2 a {"cmd":"x"}'] }, []],
  ['the brace on the last line', 'START {\na cmd=x }\nSERVICES {\n}', { START: ['2 a {"cmd":"x"}'], SERVICES: [] }, []],
  [
    'a brace in quotes ends the section too',
    'START {\na cmd="x }"\nSERVICES {\n}',
    { START: ['2 a {"cmd":"x }"}'], SERVICES: [] },
    [/^F:2: /],
  ],
  ['CRLF lines', 'START {\r\n a cmd=x\r\n}\r\n', { START: ['2 a {"cmd":"x"}'] }, []],
  [
    'an unknown section, with braces inside',
    'start {\na { }\nb cmd=x\n}\nSTART {\n}',
    { START: [] },
    [/^F:1: unknown section "start"/],
  ],
  [
    'a second section of a name',
    'START {\na cmd=x\n}\nSTART {\nb cmd=y\n}',
    { START: ['2 a {"cmd":"x"}'] },
    [/^F:4: a second section START/],
  ],
  [
    '2.3.8 keys',
    'SERVICES {\na cmd=x listen=1 provide_uuid=1\n}',
    { SERVICES: ['2 a {"cmd":"x","listen":"1","provide_uuid":"1"}'] },
    [],
  ],
  [
    'a section that is not closed',
    'SERVICES {\na cmd=x\n',
    { SERVICES: ['2 a {"cmd":"x"}'] },
    [/^F:1: section SERVICES is not closed with }$/],
  ],
  [
    'a brace on the next line',
    'START\n{\na cmd=x\n}\nSERVICES {\n}',
    { SERVICES: [] },
    [/^F:1: "{" must stand on the same line as START; the section is skipped$/, /^F:2: unknown section/],
  ],
  [
    'an entry on the opening line',
    'SERVICES { a cmd=x\nb cmd=y\n}',
    { SERVICES: ['2 b {"cmd":"y"}'] },
    [/^F:1: entries begin on the line after "SERVICES {"; skipped: a cmd=x$/],
  ],
  ['text outside', 'hello\nSTART {\n}', { START: [] }, [/^F:1: text outside/]],
]
for (const [what, text, sections, warnings] of good) {
  t.test(what, async (t) => {
    const parsed = parse(text)
    t.strictSame(parsed.sections, sections)
    t.equal(parsed.warnings.length, warnings.length, parsed.warnings.join('; '))
    for (const [n, wanted] of warnings.entries()) t.match(parsed.warnings[n], wanted)
  })
}

const bad: [text: string, message: string][] = [
  ['SERVICES {\nno-name cmd=x\n}', "F:2: bad character '-' in name; a name is made of letters, digits and _"],
  ['SERVICES {\n\na cmd="x\n}', 'F:3: missing "'],
  ['SERVICES {\na cmd\n}', 'F:2: "=" is missing after "cmd"'],
  ['SERVICES {\na c:md=x\n}', "F:2: bad character ':' in argument"],
  [`SERVICES {\na ${'k=v '.repeat(65)}\n}`, 'F:2: too many arguments'],
  [`SERVICES {\na cmd=${'x'.repeat(5000)}\n}`, 'F:2: line is longer than 4095 bytes'],
  ['}\n', 'F:1: a } without a section'],
  ['START {\na\0 cmd=x\n}', 'F:2: line has a NUL character'],
]
for (const [text, message] of bad) {
  t.test(message, async (t) => t.throws(() => parse(text), { message }))
}

t.test('entries', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'entries-'))
  t.teardown(() => rmSync(dir, { recursive: true }))
  writeFileSync(join(dir, 'prog'), '', { mode: 0o755 })
  writeFileSync(join(dir, 'plain'), '', { mode: 0o644 })
  const warnings: string[] = []
  const read = (text: string, reload = false): MasterConf =>
    readEntries(
      parseCyrusConf(text, 'F', () => undefined),
      { programs: dir, warn: (message) => warnings.push(message), reload },
    )
  const service = (args: string) => read(`SERVICES {\na cmd="prog -x  y" listen=1 ${args}\n}`).services[0]!

  t.test('defaults', async (t) => {
    t.match(service(''), {
      command: { program: join(dir, 'prog'), argv: ['prog', '-x', 'y'] },
      proto: 'tcp',
      prefork: 0,
      maxchild: Number.POSITIVE_INFINITY,
      maxforkrate: 0,
      maxfds: 0,
      babysit: false,
    })
  })
  t.test('values', async (t) => {
    t.match(service('prefork=3 maxchild=5 maxforkrate=7 maxfds=99'), {
      prefork: 3,
      maxchild: 5,
      maxforkrate: 7,
      maxfds: 99,
    })
    t.match(service('babysit=yes'), { babysit: true, prefork: 1, maxforkrate: 10 })
    t.match(service('babysit=on prefork=4 maxforkrate=2'), { babysit: true, prefork: 4, maxforkrate: 2 })
    t.match(service('babysit=off'), { babysit: false, prefork: 0 })
    t.match(service('maxchild=-1'), { maxchild: Number.POSITIVE_INFINITY })
    t.match(service('proto=udp prefork=5 maxchild=9'), { prefork: 1, maxchild: 1 })
  })
  t.test('what does not look like a number is the default, with a warning', async (t) => {
    warnings.length = 0
    t.equal(service('prefork=many').prefork, 0)
    t.match(warnings, [/^F:2: a: prefork="many" is no whole number; using 0$/])
  })
  t.test('a time that is none: period counts, as in Cyrus, with a warning', async (t) => {
    warnings.length = 0
    t.match(read('EVENTS {\na cmd=x at=2460 period=3\n}').events, [{ period: 180, time: undefined }])
    t.match(warnings, [/^F:2: a: at=2460 is no time of day \(hhmm\); it counts as period=3$/])
  })
  t.test('provide_uuid', async (t) => {
    t.equal(service('').provideUuid, false)
    t.equal(service('provide_uuid=1').provideUuid, true)
    t.equal(service('provide_uuid=0').provideUuid, false)
  })
  t.test('unknown arguments warn', async (t) => {
    warnings.length = 0
    service('colour=red')
    t.strictSame(warnings, ['F:2: a: unknown argument "colour", ignored'])
  })
  t.test('events and daemons', async (t) => {
    const { events, daemons } = read(
      'EVENTS {\na cmd=x period=5\nb cmd=x at=0430\nc cmd=x\nd cmd=x cron="30 4 * * *"\n}\n' +
        'DAEMON {\nd cmd=prog\ne cmd=prog wait=y maxforkrate=3\n}',
    )
    t.match(events, [{ period: 300, time: undefined }, { period: 0 }, { period: 0, time: undefined }, {}])
    t.strictSame(events[1]!.time, timeOfDay(4, 30))
    t.strictSame(events[3]!.time, timeOfDay(4, 30))
    t.match(daemons, [
      { wait: false, prefork: 1, maxchild: 1, babysit: true, maxforkrate: 10 },
      { wait: true, maxforkrate: 3 },
    ])
  })
  const fatal: [text: string, message: RegExp][] = [
    ['START {\na listen=1\n}', /^F:2: unable to find command for a$/],
    ['SERVICES {\na cmd=prog\n}', /^F:2: unable to find command or port for service 'a'$/],
    ['SERVICES {\na cmd=prog listen=1\na cmd=prog listen=2\n}', /^F:3: multiple entries for service 'a'$/],
    ['SERVICES {\na cmd=prog listen=1\n}\nDAEMON {\na cmd=prog\n}', /^F:5: multiple entries/],
    [
      'SERVICES {\na cmd=plain listen=1\n}',
      /^F:2: cannot find executable for service 'a': .*plain is no executable file$/,
    ],
    ['SERVICES {\na cmd=/ listen=1\n}', /^F:2: cannot find executable/],
    ['DAEMON {\na cmd=none\n}', /^F:2: cannot find executable for daemon 'a'/],
    ['EVENTS {\na cmd=x cron="61 * * * *"\n}', /^F:2: event 'a': cron: minute "61": 61 is not in 0 to 59$/],
  ]
  for (const [text, message] of fatal) {
    t.test(String(message), async (t) => t.throws(() => read(text), { message }))
  }
  t.test('at a reload, incomplete entries are passed over', async (t) => {
    warnings.length = 0
    const { services } = read('SERVICES {\na cmd=prog\nb cmd=prog listen=1\nb cmd=prog listen=2\n}', true)
    t.strictSame(
      services.map(({ name, line }) => `${name} ${line}`),
      ['b 3'],
    )
    t.match(warnings, [/F:2: .* -- ignored/, /F:4: multiple entries for service 'b' -- ignored/])
    t.throws(
      () => read('SERVICES {\na cmd=none listen=1\n}', true),
      /cannot find executable/,
      'a missing program is not',
    )
  })
})
