/** URLAUTH (RFC 4467) and URLAUTH=BINARY (RFC 5524). */
import t from 'tap'
import { parseImapUrl } from '../../lib/imap/imap_url.js'
import { parsedStructure } from '../../lib/message/body_structure.js'
import { MessageCache, summarize } from '../../lib/message/summary.js'
import { fixture, LOGIN } from './fixture.js'

const MULTIPART = [
  'Subject: two',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain; charset=utf-8',
  'Content-Transfer-Encoding: base64',
  '',
  'aGVsbG8=',
  '--b',
  'Content-Type: message/rfc822',
  '',
  'Subject: (inner) "x"',
  '',
  'inside',
  '--b--',
  '',
].join('\r\n')

t.test('a URL lets another user fetch one part, until the key is reset', async (t) => {
  const { conversation } = await fixture(t)
  const text = MULTIPART.replaceAll('\r\n', '\\r\\n')
  const told = await conversation.play(`${LOGIN}
    A> 1 APPEND INBOX {${MULTIPART.length}+}\\r\\n${text}
    A< 1 OK …
    A> 2 GENURLAUTH "imap://alice@localhost/INBOX/;UID=1/;SECTION=1;urlauth=user+bob" INTERNAL
    A< * GENURLAUTH "…"
    A< 2 OK Completed
    A> 3 GENURLAUTH "imap://alice@localhost/INBOX/;UID=1;expire=2099-01-01T00:00:00Z;urlauth=authuser" INTERNAL
    A< * GENURLAUTH "…"
    A< 3 OK Completed`)
  const [forBob, forAll] = told.filter((each) => each.startsWith('imap:'))
  t.match(forBob, /^imap:\/\/alice@localhost\/INBOX\/;UID=1\/;SECTION=1;urlauth=user\+bob:internal:01[0-9a-f]{64}$/)
  await conversation.play(`
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 URLFETCH "${forBob}" "${forBob}0" "nonsense"
    B< * URLFETCH "${forBob}" {8}\\r\\naGVsbG8= "${forBob}0" NIL "nonsense" NIL
    B< 2 OK Completed
    B> 3 URLFETCH ("${forBob}" BODYPARTSTRUCTURE BINARY)
    B< * URLFETCH "${forBob}" (BODYPARTSTRUCTURE ("TEXT" "PLAIN" ("CHARSET" "utf-8") NIL NIL "BASE64" 8 0 NIL NIL NIL NIL)) (BINARY {5}\\r\\nhello)
    B< 3 OK Completed
    B> 4 URLFETCH "${forBob!.replace('SECTION=1', 'SECTION=2')}"
    B< * URLFETCH "…" NIL
    B< 4 OK Completed
    B> 5 URLFETCH ("${forAll}" BODY)
    B< * URLFETCH "${forAll}" (BODY {${MULTIPART.length}}\\r\\n${text})
    B< 5 OK Completed
    A> 4 URLFETCH "${forBob}"
    A< * URLFETCH "${forBob}" NIL
    A< 4 OK Completed
    A> 5 GENURLAUTH "imap://bob@localhost/INBOX/;UID=1;urlauth=user+bob" INTERNAL
    A< 5 NO [BADURL] …
    A> 6 GENURLAUTH "imap://alice@elsewhere/INBOX/;UID=1;urlauth=user+bob" INTERNAL
    A< 6 NO [BADURL] …
    A> 7 GENURLAUTH "imap://alice@localhost/INBOX/;UID=9;urlauth=user+bob" INTERNAL
    A< 7 NO [BADURL] …
    A> 8 GENURLAUTH "imap://alice@localhost/INBOX/;UID=1;urlauth=user+bob" SECRET
    A< 8 BAD …
    A> 9 RESETKEY INBOX INTERNAL
    A< 9 OK [URLMECH INTERNAL] …
    B> 6 URLFETCH "${forBob}" "${forAll}"
    B< * URLFETCH "${forBob}" NIL "${forAll}" NIL
    B< 6 OK Completed
    A> 10 RESETKEY
    A< 10 OK All keys removed`)
})

t.test('IMAP URLs', async (t) => {
  t.match(
    parseImapUrl(
      'imap://fred;AUTH=*@example.com:143/gray%20council;UIDVALIDITY=385/;UID=20/;SECTION=1.2;EXPIRE=2030-01-01T00:00:00Z;URLAUTH=submit+fred:internal:91',
    ),
    {
      server: { user: 'fred', host: 'example.com' },
      mailbox: 'gray council',
      uidvalidity: 385,
      uid: 20,
      section: { label: 'BODY[1.2]' },
      authorization: { access: 'submit+fred', mechanism: 'INTERNAL', token: '91' },
    },
  )
  t.match(parseImapUrl(';UID=7/;PARTIAL=5.10'), {
    mailbox: undefined,
    uid: 7,
    section: { partial: { offset: 5, length: 10 } },
  })
  t.match(parseImapUrl('/Gr%C3%BC%C3%9Fe/;UID=1'), { mailbox: 'Gr&APwA3w-e' })
  for (const bad of [
    '',
    '/INBOX',
    '/INBOX/;UID=0',
    '/INBOX/;UID=x',
    'http://x/INBOX/;UID=1',
    '/%ff/;UID=1',
    '/INBOX/;UID=1/;SECTION=x',
    `/${'a'.repeat(9000)}/;UID=1`,
  ])
    t.equal(parseImapUrl(bad), undefined, bad.slice(0, 40))
})

t.test('the structure of a part', async (t) => {
  const structure = new MessageCache(summarize(Buffer.from(MULTIPART)).cache).bodystructure
  t.match(parsedStructure(structure, [1]), /^\("TEXT" "PLAIN" .*\)$/)
  t.match(parsedStructure(structure, [2]), /^\("MESSAGE" "RFC822" /)
  t.match(parsedStructure(structure, [2, 1]), /^\("TEXT" "PLAIN" \("CHARSET" "us-ascii"\)/)
  t.match(parsedStructure(structure, []), /^\(\("TEXT"[\s\S]* "MIXED" /)
  t.equal(parsedStructure(structure, [3]), undefined)
  t.equal(parsedStructure(structure, [1, 2]), undefined)
})
