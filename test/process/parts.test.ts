/** The parts of lib/process that stand by themselves: getopt, log lines, slots, status records. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { facilityNumber } from '../../lib/os/syslog.js'
import { parseOptions, UsageError } from '../../lib/process/getopt.js'
import { oneLine } from '../../lib/process/log.js'
import { parseServiceOptions, reuseLimitFor } from '../../lib/process/service_options.js'
import { Slots } from '../../lib/process/slots.js'
import { readStatistics } from '../../lib/process/statistics_directory.js'
import { decodeStatus, encodeStatus, Status } from '../../lib/process/status.js'

t.test('getopt', async (t) => {
  const read = (...argv: string[]): unknown => {
    const { options, args } = parseOptions('C:vu:', argv)
    return { ...Object.fromEntries(options), args }
  }
  t.strictSame(read('-C', 'x', '-v', 'a', '-u'), { C: 'x', v: true, args: ['a', '-u'] })
  t.strictSame(read('-vCx'), { v: true, C: 'x', args: [] })
  t.strictSame(read('-v', '--', '-u'), { v: true, args: ['-u'] })
  t.strictSame(read('-'), { args: ['-'] })
  t.strictSame(read('-u', '-v'), { u: '-v', args: [] })
  t.strictSame(read('--help'), { help: true, args: [] })
  t.strictSame(parseOptions('u:', ['-u', 'a', '-u', 'b']).repeated, [
    ['u', 'a'],
    ['u', 'b'],
  ])
  t.throws(() => read('-x'), new UsageError('unknown option -x'))
  t.throws(() => read('-C'), new UsageError('option -C needs a value'))
  t.throws(() => read('--long'), new UsageError('unknown option --long'))
  t.throws(() => read('-:'), new UsageError('unknown option -:'))
})

t.test('service options', async (t) => {
  const options = parseServiceOptions('sp:', ['-C', '/x', '-U', '30', '-s', '-p', '2', '-T', '0'])
  t.match(options, { configPath: '/x', reuseLimit: 30, idleSeconds: 0, stdio: false })
  t.strictSame(
    [...options.own],
    [
      ['s', true],
      ['p', '2'],
    ],
  )
  t.equal(reuseLimitFor(options, 100), 30)
  t.equal(reuseLimitFor(parseServiceOptions('', []), 4), 1000, '250 for each slot')
  t.throws(() => parseServiceOptions('', ['-T', 'x']), { message: 'option -T: "x" is no number' })
  t.throws(() => parseServiceOptions('', ['word']), { message: 'unexpected argument "word"' })
})

t.test('log lines are one line', async (t) => {
  t.equal(oneLine('a\r\nb\tc\0\x1b[1m\x7f\u2028'), 'a\\r\\nb\\tc\\x00\\x1b[1m\\x7f\\u2028')
  t.equal(oneLine('é 日本'), 'é 日本')
  t.match(oneLine('x'.repeat(5000)), /^x{4096}… \(5000 characters\)$/)
})

t.test('a program goes on logging, and working, when nobody reads its stderr any more', async (t) => {
  const module = new URL('../../lib/process/log.js', import.meta.url).href
  const script = `const { openLog } = await import(${JSON.stringify(module)}); const log = openLog({ service: 'x', foreground: true })
    process.on('uncaughtException', (error) => { console.log(error.message); process.exit(1) })
    process.stdin.once('data', () => { log.error('one'); log.error('two'); setTimeout(() => { log.error('three'); console.log('still here'); process.exit(0) }, 10) })`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' })
  child.stderr.destroy()
  child.stdin.write('go')
  const [said] = await once(child.stdout, 'data')
  t.equal(String(said), 'still here\n')
})

t.test('reports of several programs become one, each metric told of once', async (t) => {
  const directory = t.testdir({
    'master.txt': '# TYPE own gauge\nown 1\n',
    'a.txt': '# HELP x An x.\n# TYPE x gauge\nx{channel="a"} 1\n# TYPE y counter\ny 2\n',
    'b.txt': '# HELP x An x.\n# TYPE x gauge\nx{channel="b"} 3\nnot a metric at all\n',
    'c.json': '{}',
    'd.txt': {},
  })
  t.equal(
    await readStatistics(directory, 'master.txt'),
    '# HELP x An x.\n# TYPE x gauge\nx{channel="a"} 1\nx{channel="b"} 3\n# TYPE y counter\ny 2\n',
  )
  t.equal(await readStatistics(`${directory}/nosuch`, ''), '')
})

t.test('records', async (t) => {
  const record = encodeStatus(Status.ConnectionMulti, 0x01020304)
  t.equal(record.length, 8)
  t.strictSame(decodeStatus(record), { message: 4, pid: 0x01020304 })
})

t.test('slots', async (t) => {
  const one = new Slots(1, 0)
  t.strictSame([one.taken(), one.free, one.released(), one.free], [[2, 3], 0, [1], 1])

  const three = new Slots(3, 0)
  t.strictSame([three.taken(), three.taken(), three.taken(), three.free], [[4], [4], [2, 3], 0])
  t.strictSame([three.released(), three.released(), three.taken()], [[1], [], [4]])

  const worn = new Slots(5, 3)
  t.strictSame(
    [worn.taken(), worn.released(), worn.taken(), worn.taken()],
    [[4], [], [4], [2, 3]],
    'the last of its life',
  )
  t.strictSame([worn.free, worn.finished, worn.released()], [0, true, []])

  const closed = new Slots(3, 0)
  closed.taken()
  t.strictSame([closed.close(), closed.free, closed.released(), closed.close()], [[2], 0, [], []])
  t.strictSame(new Slots(3, 0).close(), [], 'an idle one just leaves')
})

t.test('syslog facilities by the names that imapd.conf takes', async (t) => {
  t.equal(facilityNumber('mail'), 2)
  t.equal(facilityNumber('LOG_LOCAL6'), 22)
  t.equal(facilityNumber('local0'), 16)
  t.equal(facilityNumber('post'), undefined)
})
