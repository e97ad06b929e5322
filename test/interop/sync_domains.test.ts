/** A user of another domain (virtdomains) is replicated by hand and from the log, to and from a real Cyrus 3.6.1. */
import t from 'tap'
import { ADMIN } from '../lab/instance.js'
import { Lab } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { readCommandResult } from './sync_direct_run.js'

const ZOE = 'zoe@other.test'

for (const topology of ['ours_to_cyrus.ini', 'cyrus_to_ours.ini']) {
  t.test(topology, { timeout: 60_000 }, async (t) => {
    if (!needsCyrus(t)) return
    const domains = { virtdomains: 'userid', defaultdomain: 'example.org' }
    const lab = await Lab.start(topology, {
      rolling: false,
      users: ['alice'],
      imapd: { master: domains, replica: domains },
    })
    t.teardown(() => lab.stop())
    const run = (...args: string[]) => readCommandResult(lab.master, 'sync_client', ...args)
    const admin = await lab.login(ADMIN.user, lab.master, ADMIN.password)
    for (const name of [`user/${ZOE}`, 'user/zoe/Sub@other.test']) {
      await admin.ok(`CREATE ${name}`)
      await admin.ok(`SETACL ${name} ${ADMIN.user} lrswipkxte`)
      await admin.append(name, Buffer.from(`Subject: to ${name}\r\n\r\n${name}\r\n`), '(\\Flagged)')
    }
    await admin.ok(`SETQUOTA user/${ZOE} (STORAGE 5000)`)
    const first = await run('-v', '-u', ZOE)
    t.match(first, { status: 0, output: /MAILBOX other\.test!user\.zoe$/m }, first.output)
    const second = await run('-v', '-u', ZOE)
    t.match(second, { status: 0, output: /^USER zoe@other\.test$/m })
    t.notMatch(second.output, /MAILBOX |QUOTA|SEEN/, 'nothing is left to be done')
    await admin.ok('RENAME user/zoe/Sub@other.test user/zoe/Other@other.test')
    await admin.ok(`SELECT user/${ZOE}`)
    await admin.ok('STORE 1 +FLAGS (\\Answered)')
    const log = await run('-v', '-R', '-1')
    t.equal(log.status, 0, `from the log\n${log.output}`)
    const views = []
    for (const instance of [lab.master, lab.replica]) {
      const client = await lab.login(ADMIN.user, instance, ADMIN.password)
      const view: string[] = []
      for (const command of [
        'LIST "" "user/zoe*"',
        `STATUS user/${ZOE} (MESSAGES UIDNEXT UIDVALIDITY HIGHESTMODSEQ)`,
        'STATUS user/zoe/Other@other.test (MESSAGES UIDNEXT UIDVALIDITY)',
        `GETACL user/${ZOE}`,
        `GETQUOTA user/${ZOE}`,
        `EXAMINE user/${ZOE}`,
        'FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[])',
      ]) {
        const { untagged } = await client.ok(command)
        const facts = untagged
          .map(({ text }) => text)
          .filter((text) => /^\* (?:LIST|STATUS|ACL|QUOTA|\d+ FETCH)/.test(text))
        view.push(...facts.sort())
      }
      await client.logout()
      // 3.6.1 sees no children behind a domain
      views.push(
        view.map((line) => line.replace(/ ?\\Recent ?|\\Has(?:No)?Children/, '').replace(/"(user\S*)"/, '$1')).sort(),
      )
    }
    t.strictSame(views[1], views[0])
    t.match(views[1]!.join('\n'), /Answered/)
    t.equal(views[0]!.length, 7)
    await admin.logout()
  })
}
