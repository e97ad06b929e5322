/** Real mail programs in a terminal work on a mailbox of ours: mutt, Alpine. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { PASSWORD } from '../lab/instance.js'
import { needsPrograms } from '../lab/needs.js'
import { waitFor } from '../lab/wait.js'
import { mailAccount, Terminal } from './mail_account.js'

t.test('mutt in a terminal shows the index, flags and deletes', async (t) => {
  if (!needsPrograms(t, 'mutt', 'tmux')) return
  const { lab, directory, port } = await mailAccount(t, 5)
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
  const terminal = new Terminal(t, `mutt -n -F ${rc}`, directory)
  await waitFor('the index', () => terminal.screen.includes('message 4'))
  t.match(terminal.screen, /Msgs:5/)
  terminal.press('2', 'Enter')
  terminal.press('F')
  terminal.press('d')
  terminal.press('4', 'Enter')
  terminal.press('F')
  terminal.press('$')
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
  terminal.press('Enter')
  await waitFor('the message', () => terminal.screen.includes('Subject:'))
  terminal.press('q', 'q')
  await client.logout()
})

t.test('Alpine shows the index, flags, deletes, finds, and makes a folder', async (t) => {
  if (!needsPrograms(t, 'alpine', 'tmux')) return
  const { lab, directory, port } = await mailAccount(t, 5)
  const rc = join(directory, 'pinerc')
  const server = `{127.0.0.1:${port}/imap/user=alice/notls/novalidate-cert}`
  writeFileSync(
    rc,
    `inbox-path=${server}INBOX
folder-collections=far ${server}INBOX/[]
last-version-used=7.99
user-domain=example.org
feature-list=expunge-without-confirm,quit-without-confirm,disable-password-caching,disable-password-file-saving,enable-flag-cmd
sort-key=arrival
`,
  )
  const terminal = new Terminal(t, `alpine -p ${rc} -i`, directory)
  await waitFor('the question for the password', () => /PASSWORD:/i.test(terminal.screen))
  terminal.press(PASSWORD, 'Enter')
  await waitFor('the index', () => {
    if (/Preserve password/i.test(terminal.screen)) terminal.press('n')
    return terminal.screen.includes('message 4')
  })
  t.match(terminal.screen, /Message {1,2}\d of 5/)
  const client = await lab.login('alice')
  await client.ok('SELECT INBOX')
  const told = async (command: string) => (await client.ok(command)).untagged.map(({ text }) => text).join('\n')
  terminal.press('j', '1', 'Enter')
  await waitFor('the first message', () => /Message {1,2}1 of 5/.test(terminal.screen))
  terminal.press('d')
  await waitFor('the mark', () => /marked for deletion/i.test(terminal.screen))
  terminal.press('x')
  await waitFor('the expunge', async () => /MESSAGES 4/.test(await told('STATUS INBOX (MESSAGES)')))
  await waitFor('the index again', () => /Message {1,2}1 of 4/.test(terminal.screen))
  t.notMatch(terminal.screen, /message 0/)
  terminal.press('Enter')
  await waitFor('the message', () => /Subject: .*message 1/.test(terminal.screen))
  terminal.press('*')
  terminal.press('*')
  await waitFor('the flag', async () => /SEARCH \d/.test(await told('SEARCH FLAGGED SEEN SUBJECT "message 1"')))
  // what another client appends is shown
  await client.ok('APPEND INBOX {26+}\r\nSubject: from elsewhere\r\n\r\n')
  terminal.press('i')
  await waitFor('the new message', () => {
    terminal.press('C-l')
    return terminal.screen.includes('from elsewhere')
  })
  terminal.press('q')
  await client.logout()
})
