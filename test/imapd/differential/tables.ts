/** Families of short conversations, made from tables: one FETCH item, one SEARCH key, one STORE form each. */
import type { Script, Step } from './script.js'

function step(line: number, connection: string, command: string): Step {
  return { line, connection, command, unordered: false, captures: [], reason: undefined }
}

/** Each command alone, after SELECT of the corpus. @param reasons why a command is answered differently, by command */
function family(name: string, commands: readonly string[], reasons: Readonly<Record<string, string>> = {}): Script[] {
  return [
    {
      file: `tables: ${name}`,
      name,
      options: new Set(['corpus']),
      steps: [
        step(0, 'A', 'EXAMINE INBOX'),
        ...commands.map((command, at) => ({ ...step(at + 1, 'A', command), reason: reasons[command] })),
      ],
    },
  ]
}

const FETCH_ITEMS = [
  'FLAGS',
  'UID',
  'INTERNALDATE',
  'RFC822.SIZE',
  'ENVELOPE',
  'BODY',
  'BODYSTRUCTURE',
  'ALL',
  'FAST',
  'FULL',
  'RFC822.HEADER',
  'RFC822.TEXT',
  'RFC822',
  'RFC822.PEEK',
  'BODY.PEEK[]',
  'BODY.PEEK[HEADER]',
  'BODY.PEEK[TEXT]',
  'BODY.PEEK[1]',
  'BODY.PEEK[1.MIME]',
  'BODY.PEEK[1.1]',
  'BODY.PEEK[2.MIME]',
  'BODY.PEEK[HEADER.FIELDS (Subject From)]',
  'BODY.PEEK[HEADER.FIELDS.NOT (Subject From)]',
  'BODY.PEEK[HEADER.FIELDS (X-Custom)]',
  'BODY.PEEK[]<0.20>',
  'BODY.PEEK[]<100.10>',
  'BODY.PEEK[TEXT]<5.100000>',
  'BODY.PEEK[]<100000.10>',
  'BODY.PEEK[1.HEADER]',
  'BODY.PEEK[1.TEXT]',
  'BODY.PEEK[9]',
  '(FLAGS UID BODY.PEEK[HEADER] RFC822.SIZE)',
  '(RFC822.SIZE INTERNALDATE FLAGS)',
  'BODY.PEEK',
  'BODY[',
  'BODY[]<1>',
  'BODY[1.]',
  'BODY[MIME]',
  'NONSENSE',
  '()',
  '(FLAGS',
  '(ALL)',
]

const SEARCH_KEYS = [
  'ALL',
  'ANSWERED',
  'DELETED',
  'DRAFT',
  'FLAGGED',
  'NEW',
  'OLD',
  'RECENT',
  'SEEN',
  'UNANSWERED',
  'UNDELETED',
  'UNDRAFT',
  'UNFLAGGED',
  'UNSEEN',
  'KEYWORD $Label1',
  'UNKEYWORD $Label1',
  'KEYWORD nosuch',
  'BEFORE 3-Jan-2020',
  'ON 8-Jan-2020',
  'SINCE 7-Jan-2020',
  'SENTBEFORE 2-Jan-2020',
  'SENTON 2-Jan-2020',
  'SENTSINCE 5-Jan-2020',
  'LARGER 1000',
  'SMALLER 300',
  'FROM alice',
  'FROM "Alice Alpha"',
  'TO carol',
  'CC dave',
  'BCC secret',
  'SUBJECT meeting',
  'SUBJECT "Re: Meeting"',
  'SUBJECT ""',
  'BODY monday',
  'BODY "message within"',
  'TEXT fox',
  'TEXT "X-Custom"',
  'HEADER X-Custom ""',
  'HEADER X-Custom value',
  'HEADER Subject zebra',
  'HEADER Message-ID one@example.com',
  'HEADER References missing',
  'HEADER NoSuch ""',
  'CHARSET UTF-8 SUBJECT "K\xc3\xb6ln"',
  'CHARSET ISO-8859-1 BODY "Gr\xfc\xdfe"',
  'CHARSET UTF-8 BODY {5+}\r\nCaf\xc3\xa9',
  'CHARSET UTF-8 FROM {7+}\r\nM\xc3\xbcller',
  'CHARSET X-UNKNOWN SUBJECT x',
  'BODY "weichen Umbruch"',
  'BODY grosse',
  'SUBJECT grusse',
  'TEXT "report is attached"',
  'NOT SEEN',
  'NOT NOT SEEN',
  'OR SEEN FLAGGED',
  'OR (FROM alice SEEN) (FROM bob UNSEEN)',
  '(SEEN FLAGGED)',
  'FLAGGED SEEN FROM alice',
  '1:3',
  '2,4:5',
  '*',
  '8:*',
  'UID 1:3',
  'UID *',
  'UID 20:30',
  'NOT 1:3',
  'NOT UID 2',
  'OLDER 100',
  'YOUNGER 100',
  'OLDER 1000000000',
  'ON 31-Feb-2020',
  'BEFORE nonsense',
  'FROM',
  'OR SEEN',
  '(SEEN',
  'NONSENSE',
  '0',
  'LARGER x',
]

const RETURNS = [
  'RETURN () ALL',
  'RETURN (ALL) SEEN',
  'RETURN (MIN MAX COUNT) SEEN',
  'RETURN (COUNT) FROM nobody',
  'RETURN (MIN) FROM nobody',
  'RETURN (MIN) SEEN',
  'RETURN (MAX) SEEN',
  'RETURN (ALL MIN) FROM nobody',
  'RETURN (COUNT ALL MAX MIN) UNSEEN',
  'RETURN (FOO) ALL',
  'RETURN (RELEVANCY) ALL',
  'RETURN ALL',
  'RETURN (ALL) CHARSET UTF-8 SUBJECT meeting',
  'CHARSET UTF-8 RETURN (ALL) SUBJECT meeting',
  'RETURN (MIN) SEEN MODSEQ 1',
  'RETURN (MAX) SEEN MODSEQ 1',
  'RETURN (ALL COUNT) SEEN MODSEQ 1',
  'RETURN (MIN MAX) ALL MODSEQ 1',
  'RETURN (ALL) SEEN',
  'RETURN (ALL',
  'RETURN',
]

/** Keys of extensions. */
const MORE_KEYS = [
  'EMAILID Me84d0d11d8580ecc8b8ff8cc',
  'EMAILID M123',
  'THREADID NIL',
  'THREADID T0123456789abcdef',
  'SAVEDBEFORE 1-Jan-2030',
  'SAVEDBEFORE 1-Jan-2020',
  'SAVEDON 1-Jan-2020',
  'SAVEDSINCE 1-Jan-2020',
  'SAVEDATESUPPORTED',
  'SAVEDBEFORE',
  'OLDER x',
  'YOUNGER 1000000000',
  'FUZZY SUBJECT meeting',
  'FUZZY (SUBJECT meeting BODY x)',
]

const MORE_ITEMS = [
  'EMAILID',
  'THREADID',
  'SAVEDATE',
  'PREVIEW',
  'PREVIEW (LAZY)',
  '(PREVIEW (LAZY) UID)',
  '(PREVIEW (FOO))',
  'DIGEST.SHA1',
  'RFC822.SHA1',
  'RFC822.FILESIZE',
  'CREATEDMODSEQ',
  'LASTUPDATED',
  'CID',
  'BASECID',
  'MAILBOXES',
  'RFC822.HEADER.LINES (Subject)',
  'RFC822.HEADER.LINES.NOT (Subject)',
  'RFC822.TEXT.PEEK',
  '(FLAGS UID INTERNALDATE RFC822.SIZE EMAILID SAVEDATE DIGEST.SHA1 RFC822.SHA1 RFC822.FILESIZE)',
  'BINARY.PEEK[]',
  'BINARY.SIZE[]',
  'BINARY.PEEK[1]',
  'BINARY.SIZE[1]',
  'BINARY.PEEK[1.1]',
  'BINARY.PEEK[2]',
  'BINARY.SIZE[2]',
  'BINARY.PEEK[1]<2.10>',
  'BINARY.PEEK[2]<300.1000>',
  'BINARY.PEEK[2]<1000.10>',
  'BINARY.PEEK[9]',
  'BINARY.SIZE[9]',
  'BINARY.PEEK[1.MIME]',
  'BINARY.SIZE[1]<0.1>',
  '(BINARY.SIZE[1.1] BINARY.PEEK[1] BODY.PEEK[1] FLAGS)',
]

const SORTS = [
  ...['SUBJECT', 'FROM', 'TO', 'CC', 'DATE', 'ARRIVAL', 'SIZE', 'DISPLAYFROM', 'DISPLAYTO', 'MODSEQ', 'UID'].flatMap(
    (key) => [`(${key}) UTF-8 ALL`, `(REVERSE ${key}) UTF-8 ALL`],
  ),
  '(REVERSE SIZE FROM) UTF-8 ALL',
  '(SUBJECT REVERSE DATE) US-ASCII SEEN',
  '(FROM SUBJECT) UTF-8 UNSEEN FROM alice',
  '(FOO) UTF-8 ALL',
  '() UTF-8 ALL',
  'SUBJECT UTF-8 ALL',
  '(REVERSE) UTF-8 ALL',
  '(SUBJECT) ALL',
  '(SUBJECT) X-FOO ALL',
  '(SUBJECT) UTF-8',
  'RETURN (COUNT ALL) (REVERSE SUBJECT) UTF-8 ALL',
  'RETURN (MIN MAX) (REVERSE SUBJECT) UTF-8 ALL',
  'RETURN () (REVERSE ARRIVAL) UTF-8 SEEN',
  'RETURN (ALL) (REVERSE ARRIVAL) UTF-8 FROM nobody',
  '(ARRIVAL) UTF-8 1:3',
  '(ARRIVAL) UTF-8 FROM nobody',
]

const THREADS = ['ORDEREDSUBJECT', 'REFERENCES', 'REFS'].flatMap((algorithm) => [
  `${algorithm} UTF-8 ALL`,
  `${algorithm} UTF-8 SINCE 5-Jan-2020`,
  `${algorithm} UTF-8 FROM nobody`,
  `${algorithm} ALL`,
  `${algorithm} X-FOO ALL`,
])

const IDS = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'missing1', 'missing2', 'missing3']
const SUBJECTS = [
  'one',
  'Re: one',
  'fw: one',
  '[list] one',
  'two',
  'Re: two',
  'Re[2]: [list] two (fwd)',
  '[Fwd: two]',
  '',
]

/** Conversations of a dozen messages that refer to each other at random, in loops too, threaded and sorted. */
function randomThreads(count: number): Script[] {
  let seed = 42
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  return Array.from({ length: count }, (_, n) => {
    const steps: Step[] = []
    const add = (command: string): void => void steps.push(step(steps.length, 'A', command))
    for (let message = 0; message < 12; message += 1) {
      const references = Array.from({ length: random(4) }, () => `<${IDS[random(IDS.length)]}@x>`).join(' ')
      const day = 1 + random(20)
      const text = [
        `From: u${random(5)}@example.com`,
        `Subject: ${SUBJECTS[random(SUBJECTS.length)]}`,
        `Date: ${day} Jan 2020 10:00:00 +0000`,
        ...(random(8) === 0 ? [] : [`Message-ID: <${IDS[random(10)]}@x>`]),
        ...(references === '' ? [] : [`${random(3) === 0 ? 'In-Reply-To' : 'References'}: ${references}`]),
        '',
        'text',
        '',
      ].join('\r\n')
      // all different: where newest arrivals are equal, Cyrus' order is that of a hash
      const arrival = 1 + ((message * 5 + n * 3) % 28)
      const date = `${String(arrival).padStart(2, '0')}-Feb-2020 10:00:00 +0000`
      add(`APPEND INBOX "${date}" {${text.length}+}\r\n${text}`)
    }
    add('SELECT INBOX')
    for (const algorithm of ['ORDEREDSUBJECT', 'REFERENCES', 'REFS']) add(`THREAD ${algorithm} UTF-8 ALL`)
    add('SORT (SUBJECT REVERSE FROM DATE) UTF-8 ALL')
    return { file: 'tables', name: `threads at random ${n}`, options: new Set<string>(), steps }
  })
}

const STATUS_ITEMS = [
  'MESSAGES',
  'RECENT',
  'UIDNEXT',
  'UIDVALIDITY',
  'UNSEEN',
  'SIZE',
  'MAILBOXID',
  'HIGHESTMODSEQ',
  'CREATEDMODSEQ',
  'UNSEEN MESSAGES UNSEEN',
  'CREATEDMODSEQ HIGHESTMODSEQ MAILBOXID SIZE UNSEEN UIDVALIDITY UIDNEXT RECENT MESSAGES',
  'NONSENSE',
  '',
]

const STRICT_GRAMMAR = 'What the grammar forbids is refused'

const DIFFERENT: Readonly<Record<string, string>> = {
  'FETCH 1:10 BODY[1.]': STRICT_GRAMMAR,
  'SEARCH ON 31-Feb-2020': STRICT_GRAMMAR,
  'SEARCH 0': STRICT_GRAMMAR,
  'SEARCH CHARSET X-UNKNOWN SUBJECT x': 'An unknown CHARSET of SEARCH is answered with BADCHARSET',
}

const NO_FUZZY = 'SEARCH FUZZY finds what SEARCH finds'
const PREVIEWS = 'PREVIEW tells the first words of a message'

const BAD_CHARSET = 'An unknown CHARSET'

const MORE_DIFFERENT: Readonly<Record<string, string>> = {
  'SORT (SUBJECT) X-FOO ALL': BAD_CHARSET,
  'THREAD ORDEREDSUBJECT X-FOO ALL': BAD_CHARSET,
  'THREAD REFERENCES X-FOO ALL': BAD_CHARSET,
  'THREAD REFS X-FOO ALL': BAD_CHARSET,
  'SORT RETURN (MIN MAX) (REVERSE SUBJECT) UTF-8 ALL':
    'MIN and MAX of SORT RETURN are the first and the last in the order',
  'SEARCH FUZZY SUBJECT meeting': NO_FUZZY,
  'SEARCH FUZZY (SUBJECT meeting BODY x)': NO_FUZZY,
  'FETCH 1:10 THREADID': 'THREADID is NIL without parentheses',
  'FETCH 1:10 PREVIEW': PREVIEWS,
  'FETCH 1:10 PREVIEW (LAZY)': PREVIEWS,
  'FETCH 1:10 (PREVIEW (LAZY) UID)': PREVIEWS,
  'STATUS INBOX (HIGHESTMODSEQ)': 'STATUS (HIGHESTMODSEQ) and SEARCH MODSEQ enable CONDSTORE',
  'SEARCH RETURN (MIN) SEEN MODSEQ 1': 'STATUS (HIGHESTMODSEQ) and SEARCH MODSEQ enable CONDSTORE',
}

/** All families. */
export function tables(): Script[] {
  return [
    ...family(
      'FETCH items',
      FETCH_ITEMS.map((item) => `FETCH 1:10 ${item}`),
      DIFFERENT,
    ),
    ...family('UID FETCH', [
      'UID FETCH 1:* FLAGS',
      'UID FETCH 3 (UID FLAGS)',
      'UID FETCH 100 FLAGS',
      'UID FETCH 5:4,2 UID',
    ]),
    ...family(
      'SEARCH keys',
      SEARCH_KEYS.map((key) => `SEARCH ${key}`),
      DIFFERENT,
    ),
    ...family(
      'SEARCH RETURN',
      RETURNS.map((search) => `SEARCH ${search}`),
      MORE_DIFFERENT,
    ),
    ...family(
      'SEARCH keys of extensions',
      MORE_KEYS.map((key) => `SEARCH ${key}`),
      MORE_DIFFERENT,
    ),
    ...family(
      'FETCH items of extensions',
      MORE_ITEMS.map((item) => `FETCH 1:10 ${item}`),
      MORE_DIFFERENT,
    ),
    ...family(
      'STATUS items',
      STATUS_ITEMS.map((items) => `STATUS INBOX (${items})`),
      MORE_DIFFERENT,
    ),
    ...family(
      'SORT',
      SORTS.map((sort) => `SORT ${sort}`),
      MORE_DIFFERENT,
    ),
    ...family(
      'THREAD',
      THREADS.map((thread) => `THREAD ${thread}`),
      MORE_DIFFERENT,
    ),
    ...randomThreads(8),
    ...family('UID SEARCH', ['UID SEARCH ALL', 'UID SEARCH 2:3', 'UID SEARCH UID 100:*']),
  ]
}
