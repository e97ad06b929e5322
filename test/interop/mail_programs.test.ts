/** Real mail programs read and change a mailbox of ours: mbsync, Python's imaplib, mutt in a terminal. */
import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { PASSWORD } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { LmtpClient } from '../lab/lmtp_client.js'
import { sampleMessage } from '../lab/messages.js'
import { needsPrograms } from '../lab/needs.js'
import { waitFor } from '../lab/wait.js'

const run = promisify(execFile)

/** A server with one user who has so many messages, and a directory for the program's files. */
async function mailbox(t: Test, messages: number): Promise<{ lab: Lab; directory: string; port: number }> {
  const lab = await Lab.start('pair.ini', { users: ['alice'], rolling: false })
  t.teardown(() => lab.stop())
  await lab.createUsers()
  const lmtp = await LmtpClient.connect(lab.master.ports.lmtp)
  for (let n = 0; n < messages; n++) await lmtp.deliver(sampleMessage(n), 'alice')
  await lmtp.quit()
  const directory = mkdtempSync(join(tmpdir(), 'mail-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return { lab, directory, port: lab.master.ports.imap }
}

t.test('mbsync, both ways; a second run finds nothing to do', async (t) => {
  if (!needsPrograms(t, 'mbsync')) return
  const { lab, directory, port } = await mailbox(t, 40)
  const maildir = join(directory, 'maildir')
  mkdirSync(maildir)
  const config = join(directory, 'mbsyncrc')
  writeFileSync(
    config,
    `IMAPAccount ours
Host 127.0.0.1
Port ${port}
User alice
Pass ${PASSWORD}
SSLType None
AuthMechs LOGIN

IMAPStore far
Account ours

MaildirStore near
Path ${maildir}/
Inbox ${maildir}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
`,
  )
  const mbsync = () => run('mbsync', ['-c', config, '-a', '-V'], { env: { ...process.env, HOME: directory } })
  const client = await lab.login('alice')
  await client.ok('CREATE INBOX/Work')
  await client.ok('SELECT INBOX')
  await client.ok('STORE 1 +FLAGS (\\Flagged \\Seen)')
  await mbsync()
  const inbox = () =>
    ['cur', 'new'].flatMap((part) =>
      readdirSync(join(maildir, 'INBOX', part)).map((name) => join(maildir, 'INBOX', part, name)),
    )
  t.equal(inbox().length, 40)
  t.equal(inbox().filter((path) => /:2,\w*F\w*S/.test(path)).length, 1, 'flags came along')
  // near: one deleted, one answered, one new
  const [first, second] = inbox().filter((path) => !/:2,\w*F/.test(path))
  const named = (path: string, flags: string) =>
    join(maildir, 'INBOX/cur', `${path.split('/').at(-1)!.replace(/:2,.*/, '')}:2,${flags}`)
  renameSync(first!, named(first!, 'T'))
  renameSync(second!, named(second!, 'RS'))
  writeFileSync(join(maildir, 'INBOX/new/1.fresh.lab'), 'Subject: fresh from the maildir\n\nhello\n')
  await mbsync()
  await client.ok('NOOP')
  const answered = (await client.ok('SEARCH ANSWERED SEEN')).untagged.find(({ text }) => text.startsWith('* SEARCH'))
  t.match(answered?.text, /^\* SEARCH \d+$/)
  t.match((await client.ok('STATUS INBOX (MESSAGES)')).untagged.map(({ text }) => text).join(), /MESSAGES 40/)
  t.match((await client.ok('SEARCH SUBJECT "fresh from"')).untagged.map(({ text }) => text).join(), /SEARCH \d+/)
  const before = inbox().sort()
  const { stdout } = await mbsync()
  t.same(inbox().sort(), before)
  t.notMatch(stdout, /(added|new|updated|expunged) [1-9]/)
  await client.logout()
})

t.test('python imaplib reads, appends, flags, searches, expunges', async (t) => {
  if (!needsPrograms(t, 'python3')) return
  const { port } = await mailbox(t, 10)
  const script = `
import imaplib, json, sys
m = imaplib.IMAP4('127.0.0.1', ${port})
m.login('alice', '${PASSWORD}')
out = {}
out['select'] = m.select('INBOX')[1][0].decode()
typ, data = m.fetch('1:*', '(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])')
out['subjects'] = sum(1 for d in data if isinstance(d, tuple) and b'message' in d[1])
out['append'] = m.append('INBOX', '\\\\Seen', imaplib.Time2Internaldate(0), b'Subject: from python\\r\\n\\r\\nhello\\r\\n')[0]
out['noop'] = m.noop()[0]
out['found'] = m.search(None, 'SUBJECT', '"from python"')[1][0].decode()
m.store(out['found'], '+FLAGS', '\\\\Deleted')
out['expunged'] = [e.decode() for e in m.expunge()[1]]
out['create'] = m.create('INBOX/py')[0]
out['copy'] = m.copy('1:3', 'INBOX/py')[0]
out['list'] = len(m.list()[1])
out['rename'] = m.rename('INBOX/py', 'INBOX/python')[0]
out['status'] = m.status('INBOX/python', '(MESSAGES UIDNEXT)')[1][0].decode()
out['bad'] = m.create('INBOX/python')[0]
m.close(); m.logout()
print(json.dumps(out))
`
  const { stdout } = await run('python3', ['-c', script])
  t.match(JSON.parse(stdout), {
    select: '10',
    subjects: 10,
    append: 'OK',
    found: '11',
    expunged: ['11'],
    create: 'OK',
    copy: 'OK',
    list: 2,
    rename: 'OK',
    status: /MESSAGES 3 UIDNEXT 4/,
    bad: 'NO',
  })
})

t.test('mutt in a terminal shows the index, flags and deletes', async (t) => {
  if (!needsPrograms(t, 'mutt', 'tmux')) return
  const { lab, directory, port } = await mailbox(t, 5)
  const rc = join(directory, 'muttrc')
  writeFileSync(
    rc,
    `set imap_user=alice
set imap_pass=${PASSWORD}
set ssl_starttls=no
set ssl_force_tls=no
set quit=yes
set delete=yes
set confirmappend=no
set folder=imap://127.0.0.1:${port}
set spoolfile=imap://127.0.0.1:${port}/INBOX
set sort=mailbox-order
unset header_cache
unset resolve
set wait_key=no
`,
  )
  const socket = join(directory, 'tmux')
  const tmux = (...args: string[]) =>
    execFileSync('tmux', ['-S', socket, ...args], {
      encoding: 'utf8',
      env: { ...process.env, TERM: 'xterm', HOME: directory },
    })
  tmux('new-session', '-d', '-x', '120', '-y', '30', `LC_ALL=C.UTF-8 mutt -n -F ${rc}`)
  t.teardown(() => {
    try {
      tmux('kill-server')
    } catch {
      // mutt has ended, and tmux with it
    }
  })
  const screen = () => tmux('capture-pane', '-p')
  await waitFor('the index', () => screen().includes('message 4'))
  t.match(screen(), /Msgs:5/)
  tmux('send-keys', '2', 'Enter')
  tmux('send-keys', 'F')
  tmux('send-keys', 'd')
  tmux('send-keys', '4', 'Enter')
  tmux('send-keys', 'F')
  tmux('send-keys', '$')
  const client = await lab.login('alice')
  await client.ok('SELECT INBOX')
  await waitFor('mutt’s changes', async () => {
    const { untagged } = await client.ok('SEARCH FLAGGED SUBJECT "message 3"')
    const { untagged: all } = await client.ok('STATUS INBOX (MESSAGES)')
    return untagged.some(({ text }) => /SEARCH \d/.test(text)) && all.some(({ text }) => text.includes('MESSAGES 4'))
  })
  t.match(
    (await client.ok('SEARCH SUBJECT "message 1"')).untagged.map(({ text }) => text).join('\n'),
    /^\* SEARCH$/m,
    'the second one is gone',
  )
  tmux('send-keys', 'Enter')
  await waitFor('the message', () => screen().includes('Subject:'))
  tmux('send-keys', 'q', 'q')
  await client.logout()
})
