/** Commands made of pieces at random: every one is answered, none is a fault of the server's, others are not disturbed. */
import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { fixture } from './fixture.js'

const PIECES = [
  'FETCH',
  'STORE',
  'SEARCH',
  'COPY',
  'MOVE',
  'UID',
  'SELECT INBOX',
  'EXAMINE INBOX.sub',
  'LIST',
  'LSUB',
  'STATUS',
  'APPEND',
  'CREATE',
  'DELETE',
  'RENAME',
  'EXPUNGE',
  'CLOSE',
  'IDLE',
  'NOOP',
  'GETACL',
  'SETACL',
  'GETQUOTAROOT',
  'ENABLE',
  'ID',
  'NAMESPACE',
  'GETMETADATA',
  'SETMETADATA',
  'GETANNOTATION',
  'SETANNOTATION',
  'XLIST',
  'SCAN',
  'LISTRIGHTS',
  'AUTHENTICATE',
  '(SUBSCRIBED RECURSIVEMATCH)',
  'RETURN (STATUS (MESSAGES) SUBSCRIBED)',
  'RETURN (METADATA (/shared/comment))',
  '(USE (\\Sent))',
  '(DEPTH infinity)',
  '(/private/comment "x")',
  '/shared/comment',
  'ANNOTATION',
  '(/comment value)',
  '(/comment (value.priv "x"))',
  '/comment value.priv',
  '1',
  '1:*',
  '*',
  '2,4:3',
  '4294967295',
  '0',
  '-1',
  'INBOX',
  'INBOX.sub',
  'INBOX.new',
  'user.bob',
  '""',
  '"*"',
  '%',
  'inbox.%',
  '(',
  ')',
  '(FLAGS',
  'FLAGS',
  '+FLAGS',
  '-FLAGS.SILENT',
  '(\\Seen)',
  '(\\Deleted kw)',
  '\\Recent',
  'BODY[]',
  'BODY.PEEK[1.2.MIME]',
  'BODY[HEADER.FIELDS (From)]<0.10>',
  'BODYSTRUCTURE',
  'ENVELOPE',
  'FULL',
  'ALL',
  'OR',
  'NOT',
  'FROM',
  'TEXT',
  'BODY',
  'x',
  'SINCE',
  '1-Jan-2020',
  'CHARSET utf-8',
  'HEADER Subject',
  'LARGER',
  '(MESSAGES UNSEEN)',
  '{3+}\r\nabc',
  '{14+}\r\nSubject: x\r\n\r\n',
  '{2}\r\nab',
  '"quoted \\" string"',
  '"open',
  '\xff\xfe',
  '\0',
  'NIL',
  '[',
  ']',
  '<',
  'alice',
  'lrs',
  '+w',
  'DONE',
  'NOTIFY SET',
  'NOTIFY SET STATUS',
  'NOTIFY NONE',
  '(SELECTED (MessageNew (UID FLAGS) MessageExpunge FlagChange))',
  '(SELECTED-DELAYED (MessageNew MessageExpunge AnnotationChange))',
  '(PERSONAL (MessageNew MessageExpunge FlagChange MailboxName SubscriptionChange))',
  '(SUBTREE (INBOX) NONE)',
  'SEARCH RETURN (UPDATE ALL) FLAGGED',
  'SORT RETURN (UPDATE) (SUBJECT) UTF-8 ALL',
  'CANCELUPDATE',
  'SPAMABOVE',
  'FOLDER',
  'CID',
  'HASFLAG',
  'SORT',
  'THREAD',
  'REPLACE',
  'ENABLE QRESYNC',
  'RETURN (ALL COUNT SAVE)',
  'RETURN (PARTIAL 1:2)',
  'RETURN (MIN MAX PARTIAL -1:-5)',
  'RETURN ()',
  '(REVERSE DATE SUBJECT)',
  '(ARRIVAL)',
  '(REVERSE',
  'UTF-8',
  'REFERENCES',
  'ORDEREDSUBJECT',
  'REFS',
  '$',
  'MODSEQ 1',
  'MODSEQ "/flags/\\seen" all 3',
  'FUZZY',
  'EMAILID M1',
  'SAVEDSINCE',
  '(CHANGEDSINCE 1)',
  '(CHANGEDSINCE 1 VANISHED)',
  '(UNCHANGEDSINCE 9)',
  '(PARTIAL 1:1)',
  '(QRESYNC (1 2 1:3 (1 1)))',
  '(CONDSTORE)',
  '(MODSEQ EMAILID THREADID SAVEDATE PREVIEW)',
  'PREVIEW (LAZY)',
  'BINARY[1]<0.5>',
  'BINARY.SIZE[]',
  'RFC822.SHA1',
  'CATENATE (TEXT {3+}\r\nabc URL "/INBOX/;UID=1")',
  'CATENATE (URL ";UID=2/;SECTION=HEADER")',
  '~{3+}\r\na\0b',
  'URL',
  '(MAILBOXID DELETED HIGHESTMODSEQ)',
]

/** Conversations of 40 commands; FUZZ_ROUNDS asks for more. */
const ROUNDS = Number(process.env.FUZZ_ROUNDS ?? 100)

t.test('random commands', async (t) => {
  const { server, conversation } = await fixture(t, 'annotation_enable_legacy_commands: yes')
  await conversation.play(`
    A> 1 LOGIN alice testpw
    A< 1 OK …
    A> 2 CREATE INBOX.sub
    A< 2 OK …
    A> 3 APPEND INBOX {14+}\\r\\nSubject: x\\r\\n\\r\\n
    A< 3 OK …
    A> 4 APPEND INBOX {14+}\\r\\nSubject: y\\r\\n\\r\\n
    A< 4 OK …`)
  let seed = Number(process.env.FUZZ_SEED ?? 4711)
  const random = (below: number) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
    return (seed >>> 8) % below
  }
  let answered = 0
  for (let round = 0; round < ROUNDS; round += 1) {
    const socket = net.connect({ port: server.port, host: '127.0.0.1' })
    socket.on('error', () => undefined)
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    const commands = ['l LOGIN alice testpw', 's SELECT INBOX']
    for (let n = 0; n < 40; n += 1)
      commands.push(`t${n} ${Array.from({ length: 1 + random(6) }, () => PIECES[random(PIECES.length)]).join(' ')}`)
    // whatever the commands left open: an IDLE to be ended, then the end
    socket.write(Buffer.from(`${commands.join('\r\n')}\r\nDONE\r\nz LOGOUT\r\n`, 'latin1'))
    socket.end()
    await once(socket, 'close')
    t.notMatch(text, /SERVERBUG/)
    answered += text.match(/^t\d+ (?:OK|NO|BAD)/gm)?.length ?? 0
  }
  t.ok(answered > 1500, `${answered} answers`)
  await conversation.play(`
    A> 5 NOOP
    A< 5 OK Completed`)
})
