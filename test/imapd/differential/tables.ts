/** Families of short conversations, made from tables: one FETCH item, one SEARCH key, one STORE form each. */
import type { Script, Step } from './script.js'

function step(line: number, connection: string, command: string): Step {
  return { line, connection, command, unordered: false, captures: [], reason: undefined }
}

/** What SELECT and EXAMINE do not tell yet; goes when it does. */
const SELECTED = 'SELECT tells no MAILBOXID, URLMECH or ANNOTATIONS'

/** Each command alone, after SELECT of the corpus. @param reasons why a command is answered differently, by command */
function family(name: string, commands: readonly string[], reasons: Readonly<Record<string, string>> = {}): Script[] {
  return [
    {
      file: `tables: ${name}`,
      name,
      options: new Set(['corpus']),
      steps: [
        { ...step(0, 'A', 'EXAMINE INBOX'), reason: SELECTED },
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

const STRICT_GRAMMAR = 'What the grammar forbids is refused'

const DIFFERENT: Readonly<Record<string, string>> = {
  'FETCH 1:10 BODY[1.]': STRICT_GRAMMAR,
  'SEARCH ON 31-Feb-2020': STRICT_GRAMMAR,
  'SEARCH 0': STRICT_GRAMMAR,
  'SEARCH CHARSET X-UNKNOWN SUBJECT x': 'An unknown CHARSET of SEARCH is answered with BADCHARSET',
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
    ...family('UID SEARCH', ['UID SEARCH ALL', 'UID SEARCH 2:3', 'UID SEARCH UID 100:*']),
  ]
}
