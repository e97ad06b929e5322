/** SEARCH: keys, texts in all their encodings, large ones in slices. */
import t from 'tap'
import { fixture, LOGIN, SELECT } from './fixture.js'

t.test('SEARCH', async (t) => {
  const { conversation } = await fixture(t)
  const append = (text: string, options = '') => {
    const bytes = Buffer.from(text.replaceAll('\n', '\r\n'), 'utf8').toString('latin1')
    return `A> a APPEND INBOX ${options}{${bytes.length}+}\\r\\n${bytes.replaceAll('\r\n', '\\r\\n')}\nA< a OK …\n`
  }
  const found = (program: string, answer: string) =>
    `A> q SEARCH ${program}\nA< * SEARCH${answer ? ` ${answer}` : ''}\nA< q OK Completed (${answer ? answer.split(' ').length : 0} msgs)\n`
  await conversation.play(
    LOGIN +
      '\n' +
      append(
        'From: Anna <anna@one.org>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= from home\nDate: Sat, 1 Feb 2020 10:00:00 +0000\n\nhello world\n',
        '(\\Seen kw) "03-Feb-2020 10:00:00 +0000" ',
      ) +
      append(
        'From: bob@two.org\nTo: anna@one.org\nSubject: second\nX-Own: secret stuff\nContent-Transfer-Encoding: base64\nContent-Type: text/plain; charset=utf-8\n\nw6RwZmVsIHVuZCBiaXJuZW4=\n',
        '(\\Flagged) "04-Feb-2020 10:00:00 +0000" ',
      ) +
      append(
        `Subject: third\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 and a soft=\n ware break\n--b\nContent-Type: application/x-thing\n\nhidden needle\n--b\nContent-Type: message/rfc822\n\nSubject: innermost\n\ninner body\n--b--\n`,
      ) +
      SELECT +
      '\n' +
      found('ALL', '1 2 3') +
      found('SEEN', '1') +
      found('UNSEEN', '2 3') +
      found('RECENT', '1 2 3') +
      found('OLD', '') +
      found('NEW', '2 3') +
      found('FLAGGED UNSEEN', '2') +
      found('KEYWORD KW', '1') +
      found('UNKEYWORD kw', '2 3') +
      found('KEYWORD none', '') +
      found('OR SEEN FLAGGED', '1 2') +
      found('NOT OR SEEN FLAGGED', '3') +
      found('(SEEN) (KEYWORD kw)', '1') +
      found('2:*', '2 3') +
      found('1:2 NOT 1', '2') +
      found('UID 3:99', '3') +
      found('99', '') +
      found('FROM anna', '1') +
      found('FROM "ANNA <"', '1') +
      found('TO one.org', '2') +
      found('SUBJECT gruße', '') +
      found('CHARSET utf-8 SUBJECT {7+}\\r\\ngr\xc3\xbc\xc3\x9fe', '1') +
      found('HEADER x-own SECRET', '2') +
      found('HEADER x-own ""', '2') +
      found('HEADER x-own other', '') +
      found('BODY "hello   WORLD"', '1') +
      found('CHARSET utf-8 BODY {6+}\\r\\n\xc3\xa4pfel', '2') +
      found('BODY "software"', '') +
      found('BODY "soft ware"', '3') +
      found('BODY cafe', '3') +
      found('BODY needle', '') +
      found('BODY innermost', '3') +
      found('TEXT third', '3') +
      found('BODY third', '') +
      found('TEXT world', '1') +
      found('NOT TEXT world', '2 3') +
      found('SINCE 4-Feb-2020', '2 3') +
      found('BEFORE 4-Feb-2020', '1') +
      found('ON 4-Feb-2020', '2') +
      found('SENTON 1-Feb-2020', '1') +
      found('SENTBEFORE "2-Feb-2020"', '1') +
      found('LARGER 200', '3') +
      found('SMALLER 200', '1 2') +
      found('YOUNGER 1000', '3') +
      found('OLDER 1000', '1 2') +
      `A> 1 UID SEARCH SEEN
       A< * SEARCH 1
       A< 1 OK Completed (1 msgs)
       A> 2 SEARCH CHARSET x-none ALL
       A< 2 NO [BADCHARSET] Unrecognized character set x-none
       A> 3 SEARCH FOO
       A< 3 BAD Invalid Search criteria at column …: FOO at column … is none
       A> 4 SEARCH (ALL
       A< 4 BAD Missing required close paren in Search command at column …
       A> 5 SEARCH SINCE x
       A< 5 BAD Invalid date in Search command at column …: a date is like 1-Feb-1994`,
  )
})

t.test('SEARCH in large texts finds what lies across its slices', async (t) => {
  const { conversation, server } = await fixture(t)
  const { appendMessages } = await import('../../lib/mailbox/messages.js')
  const header = server.store.mailbox('user.alice')!
  const filler = 'Zeile mit Umläuten und noch mehr Text\r\n'
  const text = `${filler.repeat(9000)}the needle\r\n in the hay${filler.repeat(3000)}`
  const wrapped = (
    Buffer.from(text)
      .toString('base64')
      .match(/.{1,76}/g) ?? []
  ).join('\r\n')
  const quoted = text.replace(/[äöü]/g, (char) =>
    [...Buffer.from(char)].map((byte) => `=${byte.toString(16).toUpperCase()}`).join(''),
  )
  for (const [encoding, body] of [
    ['8bit', text],
    ['base64', wrapped],
    ['quoted-printable', quoted.replaceAll('the needle', 'the nee=\r\ndle')],
  ]) {
    const message = `Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: ${encoding}\r\n\r\n${body}`
    const staged = await server.store.stageBuffer(header.partition, Buffer.from(message))
    await appendMessages(server.store, header, [{ staged, flags: 0, keywords: [] }])
    server.store.unstage(staged)
  }
  await conversation.play(`${LOGIN}${SELECT}
    A> 1 SEARCH BODY "needle in the hay"
    A< * SEARCH 1 2 3
    A< 1 OK Completed (3 msgs)
    A> 2 SEARCH CHARSET utf-8 BODY {18+}\\r\\numlauten und nochx
    A< * SEARCH
    A< 2 OK Completed (0 msgs)
    A> 3 SEARCH BODY "text zeile mit umlauten"
    A< * SEARCH 1 2 3
    A< 3 OK Completed (3 msgs)
  `)
})
