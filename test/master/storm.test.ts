/**
 * Connections by the thousand over four processes: none refused though processes are killed all the time, spread evenly when they are not.
 * Leaner than what the project promises, to be quick; WHOLE_STORM=1 runs it whole (1,000 connections, 20 times).
 */
import t from 'tap'
import { Client, childrenOf, freePort, Instance, until } from './instance.js'
import { descriptorsOf, storm, wrongFigures } from './storm.js'

const WHOLE = process.env.WHOLE_STORM === '1'

async function fourProcesses(): Promise<{ master: Instance; port: number }> {
  const master = new Instance('service_connections: 500\nprometheus_update_freq: 1s\ndebug: yes\n')
  const port = await freePort()
  master.configure(`SERVICES {\n  one cmd="testd -U 0" listen=127.0.0.1:${port} prefork=4\n}`)
  await master.start()
  await until('four processes that are up', () => master.log.match(/one: debug: ready: /g)?.length === 4)
  return { master, port }
}

t.test('kill -9 of random processes', async (t) => {
  const { master, port } = await fourProcesses()
  t.teardown(() => master.close())
  const descriptors = descriptorsOf(master.pid)
  const whole = { connections: 1000, rounds: 20, killEvery: 100 }
  const result = await storm(master, port, WHOLE ? whole : { connections: 300, rounds: 4, killEvery: 250 })
  t.comment(JSON.stringify(result))
  t.strictSame(result.refused, {}, 'no connection is refused')
  t.ok(result.killed > 0)
  t.equal(result.greeted + result.lost, result.opened)
  t.ok(result.lost < result.opened / 10, `${result.lost} connections went down with their process`)
  t.strictSame(await wrongFigures(master, result, descriptors), [])
  const ends = master.log
    .split('\n')
    .filter((line) => /fatal|exited|ended by/.test(line) && !/ended by SIGKILL/.test(line))
  t.strictSame(ends, [], 'nobody ended by themselves')
  t.notMatch(master.log, /too many failures|odd|unrecognized|in (READY|BUSY) state: now/)
})

t.test('a thousand connections spread over four processes, each within a fifth of its share', async (t) => {
  const { master, port } = await fourProcesses()
  t.teardown(() => master.close())
  const served = new Map<number, number>(childrenOf(master.pid).map((pid) => [pid, 0]))
  const clients: Client[] = []
  for (let batch = 0; batch < 10; batch++) {
    const some = await Promise.all(Array.from({ length: 100 }, () => Client.connect(port)))
    for (const client of some) {
      const pid = await client.pid()
      served.set(pid, served.get(pid)! + 1)
    }
    clients.push(...some)
  }
  const shares = [...served.values()]
  t.equal(shares.length, 4)
  t.ok(Math.min(...shares) >= 200 && Math.max(...shares) <= 300, `shares ${shares.join(' ')}`)
  await Promise.all(clients.map((client) => client.close()))
})

t.test('a process that comes later is given its share', async (t) => {
  const { master, port } = await fourProcesses()
  t.teardown(() => master.close())
  const clients: Client[] = []
  const open = async (): Promise<number> => {
    const client = await Client.connect(port)
    clients.push(client)
    return client.pid()
  }
  const served: number[] = []
  for (let n = 0; n < 80; n++) served.push(await open())
  const old = served[0]!
  process.kill(old, 'SIGKILL')
  await until('another one that is up', () => master.log.match(/one: debug: ready: /g)?.length === 5)
  const fresh = await until('its pid', () => childrenOf(master.pid).find((pid) => !served.includes(pid)))
  const later: number[] = []
  for (let n = 0; n < 12; n++) later.push(await open())
  const share = later.filter((pid) => pid === fresh).length
  t.ok(share >= 9, `${share} of the next 12 go to the one that has none`)
  await Promise.all(clients.map((client) => client.close()))
})
