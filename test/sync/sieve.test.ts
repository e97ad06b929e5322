/** Sieve scripts between peers that do not know SIEVE-MAILBOX: the real ones' captured conversations, and our client against our server. */
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import {
  activateSieveScript,
  putSieveScript,
  removeSieveScript,
  sieveScripts,
} from '../../lib/mailbox/sieve_scripts.js'
import type { MailStore } from '../../lib/store/store.js'
import { runLog } from '../../lib/sync/client/log_run.js'
import { syncMeta, syncUser } from '../../lib/sync/client/sync_user.js'
import { captureNames, readCapture } from './capture.js'
import { startPair } from './pair_fixture.js'
import { RawClient, startServer } from './server_fixture.js'

async function scripts(store: MailStore): Promise<string[]> {
  store.refresh()
  return (await sieveScripts(store, 'bob'))
    .map(({ name, content, active }) => `${name}${active ? '*' : ''}: ${content}`)
    .sort()
}

t.test('captures 19, 19b, 19c: the real client’s commands, answered as the real server did', async (t) => {
  const server = await startServer()
  t.teardown(() => server.close())
  await createMailbox(server.store, 'user.bob')
  const expected: Record<string, string[]> = {
    '19-': ['main*: require ["fileinto"];\r\nfileinto "x";\r\n', 'second: keep;\r\n'],
    '19b': ['second*: discard;\r\n'],
    // the real server overlooks it; csync.md §8.5 tells a new one to take it for what it means
    '19c': ['second: discard;\r\n'],
  }
  for (const [number, after] of Object.entries(expected)) {
    const name = captureNames().find((each) => each.startsWith(number))!
    const client = await RawClient.connect(server.port)
    await client.login()
    let command = ''
    for (const { side, text } of readCapture(name)) {
      if (side === 'client') {
        command += text
        continue
      }
      if (/^(?:APPLY|GET META)/.test(command)) {
        const answer = await client.ask(command)
        const lines = (all: string): string[] =>
          all
            .split('\r\n')
            .filter((line) => /SIEVE|^OK|^NO/.test(line))
            .map((line) => line.replace(/LAST_UPDATE \d+/, 'LAST_UPDATE N'))
            .sort()
        t.strictSame(lines(answer), lines(text), `${name}: ${command.slice(0, 50)}`)
      }
      command = ''
    }
    client.close()
    t.strictSame(await scripts(server.store), after, name)
  }
})

t.test(
  'our client: stored, changed, activated, removed, deactivated, and nothing when nothing is to be done',
  async (t) => {
    const pair = await startPair()
    t.teardown(() => pair.close())
    const { store, replica, told } = pair
    await createMailbox(store, 'user.bob')
    await putSieveScript(store, 'bob', 'main', Buffer.from('keep;\r\n'))
    await putSieveScript(store, 'bob', 'zwölf', Buffer.from('stop;\r\n'))
    t.ok(await activateSieveScript(store, 'bob', 'main'))
    const plain = await pair.connect({ sieve: false })
    await syncUser(plain, 'bob')
    t.strictSame(await scripts(replica.store), ['main*: keep;\r\n', 'zwölf: stop;\r\n'])
    t.strictSame(await scripts(replica.store), await scripts(store))
    told.length = 0
    await syncUser(plain, 'bob')
    t.strictSame(told, ['USER bob'])
    await putSieveScript(store, 'bob', 'main', Buffer.from('discard;\r\n'))
    t.ok(await activateSieveScript(store, 'bob', 'zwölf'))
    t.strictSame(await runLog(plain, ['MAILBOX user.bob.#sieve'], () => false), [])
    t.strictSame(await scripts(replica.store), ['main: discard;\r\n', 'zwölf*: stop;\r\n'])
    t.ok(await activateSieveScript(store, 'bob', undefined))
    t.ok(await removeSieveScript(store, 'bob', 'main'))
    t.notOk(await removeSieveScript(store, 'bob', 'main'))
    t.notOk(await activateSieveScript(store, 'bob', 'nosuch'))
    await syncMeta(plain, 'bob')
    t.strictSame(await scripts(replica.store), ['zwölf: stop;\r\n'])
  },
)
