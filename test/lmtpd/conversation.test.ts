/** LMTP conversations over real sockets against a real store: replies, what is on disk after them, and many at once. */
import { once, setMaxListeners } from 'node:events'
import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { setQuota } from '../../lib/mailbox/quota.js'
import { Connection } from '../../lib/net/connection.js'
import { MessageUuids } from '../../lib/process/message_uuid.js'
import type { MailStore } from '../../lib/store/store.js'
import { converse } from '../../services/lmtpd/session.js'
import { silent, storeFixture } from '../fixture_store.js'

interface Server {
  store: MailStore
  stop: AbortController
  connect(unix?: boolean): Promise<Lmtp>
}

/** A client that reads whole replies. */
class Lmtp {
  #text = ''
  #wake: (() => void) | undefined
  #ended = false

  constructor(readonly socket: net.Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.#text += bytes.toString('latin1')
      this.#wake?.()
    })
    socket.on('close', () => {
      this.#ended = true
      this.#wake?.()
    })
    socket.on('error', () => undefined)
  }

  /** The next reply, all its lines, without the last CRLF and with session ids blanked; '' at the end. */
  async reply(): Promise<string> {
    for (;;) {
      const found = /^(?:\d{3}-.*\r\n)*\d{3}(?: .*)?\r\n/.exec(this.#text)
      if (found !== null) {
        this.#text = this.#text.slice(found[0].length)
        return found[0].trimEnd().replace(/SESSIONID=<[^>]+>/g, 'SESSIONID=<>')
      }
      if (this.#ended) return ''
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async ask(line: string): Promise<string> {
    this.socket.write(`${line}\r\n`, 'latin1')
    return this.reply()
  }

  /** MAIL, RCPTs, DATA. @returns the replies to the recipients */
  async send(from: string, to: string[], message: string): Promise<string[]> {
    await this.ask(`MAIL FROM:<${from}>`)
    for (const address of to) await this.ask(`RCPT TO:<${address}>`)
    const go = await this.ask('DATA')
    if (!go.startsWith('354')) return [go]
    this.socket.write(`${message}\r\n.\r\n`, 'latin1')
    const replies: string[] = []
    for (let n = 0; n < to.length; n++) replies.push(await this.reply())
    return replies
  }
}

async function serve(t: Test, { extra = '', preauthorized = true } = {}): Promise<Server> {
  const { store, config } = await storeFixture(t, `servername: mail.test\nallowplaintext: yes\n${extra}`)
  const stop = new AbortController()
  setMaxListeners(0, stop.signal)
  const session = {
    id: 'test-1-2-3-4',
    setUser() {},
    setMailbox() {},
    setCommand() {},
    log: silent,
    stopping: stop.signal,
  }
  const service = {
    config,
    store,
    log: silent,
    uuids: new MessageUuids(undefined),
    preauthorized,
    version: '3.6.1-test',
  }
  const handle = (socket: net.Socket): void => void converse(service, new Connection(socket), session)
  const tcp = net.createServer(handle).listen(0, '127.0.0.1')
  const path = join(mkdtempSync(join(tmpdir(), 'lmtp-')), 'sock')
  const unix = net.createServer(handle).listen(path)
  await Promise.all([once(tcp, 'listening'), once(unix, 'listening')])
  t.teardown(() => {
    tcp.close()
    unix.close()
  })
  return {
    store,
    stop,
    async connect(viaUnix = false) {
      const socket = viaUnix ? net.connect(path) : net.connect((tcp.address() as net.AddressInfo).port, '127.0.0.1')
      await once(socket, 'connect')
      t.teardown(() => socket.destroy())
      return new Lmtp(socket)
    },
  }
}

async function setAcl(store: MailStore, name: string, acl: string): Promise<void> {
  await store.write((txn) => {
    const writer = txn.mustMailbox(store.mailbox(name)!.id)
    writer.header.acl = acl
    writer.touch()
  })
}

async function stored(store: MailStore, name: string): Promise<string[]> {
  const header = store.mailbox(name)!
  const index = store.index(header.id)!
  const messages: string[] = []
  for (let row = 0; row < index.length; row++) {
    messages.push((await store.readMessage(header, index.uid(row))).toString('latin1'))
  }
  return messages
}

/** What is in the staging area but for the empty files that the store keeps ready there. */
async function leftovers(store: MailStore): Promise<string[]> {
  await store.settled()
  const staging = join(store.config.partitions().get('default')!, 'stage.')
  return readdirSync(staging).filter((name) => statSync(join(staging, name)).size > 0)
}

const HEAD = 'Message-ID: <m@test>\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n'
const UNKNOWN =
  '550-Mailbox unknown.  Either there is no mailbox associated with this\r\n' +
  '550-name or you do not have authorization to see it.\r\n550 5.1.1 User unknown'

t.test('greeting, LHLO and the small commands', async (t) => {
  const { connect } = await serve(t, { extra: 'maxmessagesize: 5000' })
  const lmtp = await connect()
  t.equal(await lmtp.reply(), '220 mail.test Cyrus LMTP 3.6.1-test server ready')
  t.equal(
    await lmtp.ask('LHLO me'),
    '250-mail.test\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250-PIPELINING\r\n250-SIZE 5000\r\n250-IGNOREQUOTA\r\n250 Ok SESSIONID=<>',
  )
  t.equal(await lmtp.ask('NOOP'), '250 2.0.0 ok')
  t.equal(await lmtp.ask('VRFY fred'), '252 2.3.3 try RCPT to attempt delivery')
  t.match(await lmtp.ask('HELP'), /^214 /)
  t.equal(await lmtp.ask('EHLO me'), '500 5.5.2 Syntax error')
  t.equal(await lmtp.ask('x'.repeat(10_000)), '500 5.5.2 Syntax error', 'a line too long')
  t.equal(await lmtp.ask('RCPT TO:<a>'), '503 5.5.1 Need MAIL command')
  t.equal(await lmtp.ask('DATA'), '503 5.5.1 No recipients')
  t.equal(await lmtp.ask('MAIL FROM:<a>'), '250 2.1.0 ok')
  t.equal(await lmtp.ask('MAIL FROM:<a>'), '503 5.5.1 Nested MAIL command')
  t.equal(await lmtp.ask('DATA'), '503 5.5.1 No recipients')
  t.equal(await lmtp.ask('RSET'), '250 2.0.0 Ok SESSIONID=<>')
  t.equal(await lmtp.ask('MAIL FROM:<a> SIZE=6000'), '552 5.2.3 Message SIZE exceeds fixed maximum message size (5000)')
  t.equal(await lmtp.ask('QUIT'), '221 2.0.0 bye')
  t.equal(await lmtp.reply(), '', 'and the connection ends')
})

t.test('a message is stored as Cyrus stores it', async (t) => {
  const { store, connect } = await serve(t)
  await createMailbox(store, 'user.fred')
  const lmtp = await connect()
  await lmtp.reply()
  await lmtp.ask('LHLO me.example')
  t.strictSame(await lmtp.send('sender', ['Fred@any.where'], `${HEAD}Subject: s\r\n\r\n..dot\nlf\r\n`), [
    '250 2.1.5 Success SESSIONID=<>',
  ])
  const [message] = await stored(store, 'user.fred')
  t.match(
    message,
    /^Return-Path: <sender@mail\.test>\r\nReceived: from me\.example \(\[127\.0\.0\.1\]\)\r\n\t by mail\.test \(Cyrus 3\.6\.1-test\) with LMTPA;\r\n\t [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\r\nX-Cyrus-Session-Id: test-1-2-3-4\r\n/,
  )
  t.ok(message!.endsWith(`${HEAD}Subject: s\r\n\r\n.dot\r\nlf\r\n\r\n`))
  await lmtp.send('', ['fred'], `${HEAD}\r\nx`)
  t.match((await stored(store, 'user.fred'))[1], /^Return-Path: <>\r\n/)
})

t.test('each recipient has a reply, in order; the message is on disk once', async (t) => {
  const { store, connect } = await serve(t)
  for (const name of ['user.a', 'user.b', 'user.b.sub']) await createMailbox(store, name)
  await setAcl(store, 'user.b.sub', 'b\tlrswipkxtecdan\tanyone\tp\t')
  await createMailbox(store, 'user.other', { partition: 'other' })
  await createMailbox(store, 'user.gone')
  const lmtp = await connect()
  await lmtp.reply()
  await lmtp.ask('MAIL FROM:<x@y>')
  t.equal(await lmtp.ask('RCPT TO:<a>'), '250 2.1.5 ok')
  t.equal(await lmtp.ask('RCPT TO:<nobody>'), UNKNOWN)
  t.equal(await lmtp.ask('RCPT TO:<../../etc/passwd>'), UNKNOWN)
  for (const to of ['gone', 'b+sub', 'b+sub', 'b+nothere', 'b+inbox', '"b"@x', 'other']) {
    t.equal(await lmtp.ask(`RCPT TO:<${to}>`), '250 2.1.5 ok', to)
  }
  const { deleteMailbox } = await import('../../lib/mailbox/folders.js')
  await deleteMailbox(store, 'user.gone')
  t.equal(await lmtp.ask('DATA'), '354 go ahead')
  lmtp.socket.write(`${HEAD}\r\nbody\r\n.\r\n`)
  const ok = '250 2.1.5 Success SESSIONID=<>'
  for (const wanted of [ok, UNKNOWN, ok, ok, ok, ok, ok, ok]) t.equal(await lmtp.reply(), wanted)
  t.equal((await stored(store, 'user.a')).length, 1)
  t.equal((await stored(store, 'user.b.sub')).length, 1, 'the same mailbox gets it once')
  t.equal((await stored(store, 'user.b')).length, 1, 'a folder that is not there means the INBOX')
  t.equal((await stored(store, 'user.other')).length, 1, 'another partition')
  const file = (name: string): string => store.messagePath(store.mailbox(name)!, 1)
  t.equal(statSync(file('user.a')).ino, statSync(file('user.b.sub')).ino, 'one file, linked')
  t.equal(statSync(file('user.a')).mode & 0o777, 0o600)
  t.strictSame(await leftovers(store), [], 'nothing is left in the staging area')
})

t.test('a folder that the sender may not post to means the INBOX; AUTH= says who the sender is', async (t) => {
  const { store, connect } = await serve(t)
  for (const name of ['user.b', 'user.b.sub']) await createMailbox(store, name)
  await setAcl(store, 'user.b.sub', 'b\tlrswipkxtecdan\tfriend\tp\t')
  const lmtp = await connect()
  await lmtp.reply()
  await lmtp.send('x', ['b+sub'], `${HEAD}\r\n1`)
  t.equal((await stored(store, 'user.b')).length, 1)
  await lmtp.ask('MAIL FROM:<x> AUTH=friend')
  await lmtp.ask('RCPT TO:<b+sub>')
  await lmtp.ask('DATA')
  t.match(await lmtp.ask(`${HEAD}\r\n2\r\n.`), /^250/)
  t.equal((await stored(store, 'user.b.sub')).length, 1)
})

t.test('shared mailboxes', async (t) => {
  const { store, connect } = await serve(t)
  for (const name of ['open', 'seen', 'hidden']) await createMailbox(store, name)
  await setAcl(store, 'open', 'anyone\tlp\t')
  await setAcl(store, 'seen', 'anyone\tl\t')
  await setAcl(store, 'hidden', '')
  const lmtp = await connect()
  await lmtp.reply()
  await lmtp.ask('MAIL FROM:<x>')
  t.equal(await lmtp.ask('RCPT TO:<+open@x>'), '250 2.1.5 ok')
  t.match(await lmtp.ask('RCPT TO:<+seen@x>'), /550 5\.7\.1 Permission denied$/)
  t.equal(await lmtp.ask('RCPT TO:<+hidden@x>'), UNKNOWN)
  t.equal(await lmtp.ask('RCPT TO:<+user/fred@x>'), UNKNOWN)
  t.equal(await lmtp.ask('RCPT TO:<+@x>'), UNKNOWN)
})

t.test('messages that are refused leave nothing behind, and the conversation goes on', async (t) => {
  const { store, connect } = await serve(t, { extra: 'maxmessagesize: 2000' })
  await createMailbox(store, 'user.fred')
  const lmtp = await connect()
  await lmtp.reply()
  const nul = '554 5.6.0 Message contains NUL characters'
  t.strictSame(await lmtp.send('x', ['fred', 'fred+a'], `${HEAD}\r\n\0`), [nul, nul], 'a reply for each recipient')
  t.strictSame(await lmtp.send('x', ['fred'], 'no header'), ['554 5.6.0 Message contains invalid header'])
  const [big] = await lmtp.send('x', ['fred'], `${HEAD}\r\n${'x'.repeat(4000)}`)
  t.match(big, /^552 5\.2\.3 Message size \(\d+\) exceeds fixed maximum message size \(2000\)$/)
  t.strictSame(await stored(store, 'user.fred'), [])
  t.strictSame(await leftovers(store), [])
  t.strictSame(await lmtp.send('x', ['fred'], `${HEAD}\r\nfine`), ['250 2.1.5 Success SESSIONID=<>'])
})

t.test('a client that leaves in the middle of DATA leaves nothing', async (t) => {
  const { store, connect } = await serve(t)
  await createMailbox(store, 'user.fred')
  const lmtp = await connect()
  await lmtp.reply()
  await lmtp.ask('MAIL FROM:<x>')
  await lmtp.ask('RCPT TO:<fred>')
  await lmtp.ask('DATA')
  lmtp.socket.end(`${HEAD}\r\nhalf a message\r\n`)
  t.equal(await lmtp.reply(), '')
  t.strictSame(await stored(store, 'user.fred'), [])
  t.strictSame(await leftovers(store), [])
})

t.test('quota', async (t) => {
  const { store, connect } = await serve(t)
  await createMailbox(store, 'user.fred')
  await setQuota(store, 'user.fred', { STORAGE: 1 })
  const lmtp = await connect()
  await lmtp.reply()
  t.strictSame(
    await lmtp.send('x', ['fred'], `${HEAD}\r\n${'x'.repeat(3000)}`),
    ['250 2.1.5 Success SESSIONID=<>'],
    'one message over is let in',
  )
  await lmtp.ask('MAIL FROM:<x>')
  t.equal(await lmtp.ask('RCPT TO:<fred>'), '452 4.2.2 Over quota SESSIONID=<>')
  t.equal(await lmtp.ask('RCPT TO:<fred> IGNOREQUOTA'), '250 2.1.5 ok')

  const strict = await serve(t, { extra: 'lmtp_strict_quota: yes\nlmtp_over_quota_perm_failure: yes' })
  await createMailbox(strict.store, 'user.fred')
  await setQuota(strict.store, 'user.fred', { STORAGE: 1 })
  const second = await strict.connect()
  await second.reply()
  const [refused] = await second.send('x', ['fred'], `${HEAD}\r\n${'x'.repeat(3000)}`)
  t.equal(refused, '552 5.2.2 Over quota SESSIONID=<>')
})

t.test('pipelining: everything at once, replies in order', async (t) => {
  const { store, connect } = await serve(t)
  await createMailbox(store, 'user.fred')
  const lmtp = await connect(true)
  lmtp.socket.write(
    `LHLO x\r\nMAIL FROM:<a>\r\nRCPT TO:<fred>\r\nRCPT TO:<no>\r\nDATA\r\n${HEAD}\r\n1\r\n.\r\nMAIL FROM:<b>\r\nRCPT TO:<fred>\r\nDATA\r\n${HEAD}\r\n2\r\n.\r\nQUIT\r\n`,
  )
  const codes: string[] = []
  for (let reply = await lmtp.reply(); reply !== ''; reply = await lmtp.reply()) codes.push(reply.slice(0, 3))
  t.strictSame(codes, ['220', '250', '250', '250', '550', '354', '250', '250', '250', '354', '250', '221'])
  t.equal((await stored(store, 'user.fred')).length, 2)
})

t.test('TCP without -a: authentication is needed; a UNIX socket needs none', async (t) => {
  const { store, connect } = await serve(t, { preauthorized: false })
  await createMailbox(store, 'user.fred')
  const { passwordStore } = await import('../../lib/sasl/check_password.js')
  await passwordStore(store.config).set('post@mail.test', 'secret')
  const lmtp = await connect()
  await lmtp.reply()
  t.match(await lmtp.ask('LHLO x'), /\r\n250-AUTH .*PLAIN/)
  t.equal(await lmtp.ask('MAIL FROM:<x>'), '430 Authentication required')
  t.equal(await lmtp.ask('AUTH NOSUCH'), '504 5.5.4 Unrecognized authentication type.')
  t.equal(await lmtp.ask('AUTH PLAIN !!!'), '501 5.5.2 Cannot decode response')
  t.equal(await lmtp.ask('AUTH PLAIN'), '334')
  t.equal(await lmtp.ask('A'.repeat(100_000)), '500 5.5.6 Authentication exchange line is too long')
  t.equal(await lmtp.ask('AUTH PLAIN'), '334')
  t.equal(await lmtp.ask('*'), '501 5.5.4 client canceled authentication')
  const plain = (password: string): string => Buffer.from(`\0post\0${password}`).toString('base64')
  t.equal(await lmtp.ask(`AUTH PLAIN ${plain('secret')}`), '235 2.7.0 Authenticated!')
  t.notMatch(await lmtp.ask('LHLO x'), 'AUTH')
  t.equal(await lmtp.ask('MAIL FROM:<x>'), '250 2.1.0 ok')
  const local = await connect(true)
  await local.reply()
  t.equal(await local.ask('MAIL FROM:<x>'), '250 2.1.0 ok')
})

t.test('SIGTERM: an idle conversation is told and ended', async (t) => {
  const { connect, stop } = await serve(t)
  const lmtp = await connect()
  await lmtp.reply()
  stop.abort()
  t.equal(await lmtp.reply(), '421 4.3.2 Service is shutting down')
  t.equal(await lmtp.reply(), '')
})

t.test('a silent client is told and left', async (t) => {
  const { connect } = await serve(t, { extra: 'lmtptxn_timeout: 1s' })
  const lmtp = await connect()
  await lmtp.reply()
  t.equal(await lmtp.reply(), '421 4.4.1 bye idle for 1 seconds')
  t.equal(await lmtp.reply(), '')
})

t.test('a hundred conversations at once', async (t) => {
  const { store, connect } = await serve(t)
  for (let n = 0; n < 5; n++) await createMailbox(store, `user.u${n}`)
  const clients = await Promise.all(Array.from({ length: 100 }, () => connect()))
  const replies = await Promise.all(
    clients.map(async (lmtp, n) => {
      await lmtp.reply()
      return lmtp.send('x', [`u${n % 5}`], `${HEAD}Subject: ${n}\r\n\r\n${n}`)
    }),
  )
  t.ok(replies.every(([reply]) => reply === '250 2.1.5 Success SESSIONID=<>'))
  let total = 0
  for (let n = 0; n < 5; n++) total += (await stored(store, `user.u${n}`)).length
  t.equal(total, 100)
})

t.test('autocreate_post makes the INBOX of a user who gets mail first', async (t) => {
  const server = await serve(t, { extra: 'autocreate_post: yes\nautocreate_quota: 0\nautocreate_inbox_folders: Junk' })
  const client = await server.connect(true)
  await client.reply()
  await client.ask('LHLO x')
  t.equal(await client.ask('MAIL FROM:<>'), '250 2.1.0 ok')
  t.equal(await client.ask('RCPT TO:<newcomer>'), '250 2.1.5 ok')
  t.ok(server.store.mailbox('user.newcomer.Junk'))
})
