/** The scenario of `make demo` on every topology, and with each end of the replication killed in the middle: equal at the end, by itself. */
import t, { type Test } from 'tap'
import { Lab, type LabOptions } from '../lab/lab.js'
import { needsCyrus } from '../lab/needs.js'
import { runScenario, type ScenarioOptions } from '../lab/scenario.js'

const MESSAGES = 60

async function play(
  t: Test,
  topology: string,
  options: Partial<ScenarioOptions> = {},
  lab: LabOptions = {},
): Promise<void> {
  const pair = await Lab.start(topology, { users: ['alice', 'bob'], ...lab })
  t.teardown(() => pair.stop())
  const { differences, messages, mailboxes, lags } = await runScenario(pair, { messages: MESSAGES, ...options })
  t.same(differences, [])
  t.ok(messages > MESSAGES, `${messages} messages compared`)
  t.ok(mailboxes >= 12, `${mailboxes} mailboxes compared`)
  t.equal(lags.length, MESSAGES)
}

/** Kills every process of a program with SIGKILL. */
function killer(t: Test, name: 'master' | 'replica', program: string): ScenarioOptions['halfway'] {
  return (lab) => {
    const instance = lab.instance(name)
    const pids = instance.processes(program)
    t.ok(pids.length > 0, `${program} runs`)
    for (const pid of pids) process.kill(pid, 'SIGKILL')
  }
}

t.test('ours to ours', (t) => play(t, 'pair.ini'))
t.test('ours to ours, the replica’s sync_server killed', (t) =>
  play(t, 'pair.ini', { halfway: killer(t, 'replica', 'sync_server') }),
)
t.test('ours to ours, the master’s sync_client killed', (t) =>
  play(t, 'pair.ini', { halfway: killer(t, 'master', 'sync_client') }),
)
t.test('ours to ours, in another namespace', (t) => {
  const options = { altnamespace: 'yes', unixhierarchysep: 'no' }
  return play(t, 'pair.ini', {}, { imapd: { master: options, replica: options } })
})
t.test('ours to Cyrus 3.6.1', async (t) => {
  if (needsCyrus(t)) await play(t, 'ours_to_cyrus.ini')
})
t.test('Cyrus 3.6.1 to ours', async (t) => {
  if (needsCyrus(t)) await play(t, 'cyrus_to_ours.ini')
})
