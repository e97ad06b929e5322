/** How processes of a service know who has the fewest connections. */
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { isUneven, LoadTable } from '../../lib/process/load_table.js'

t.test('what is uneven', async (t) => {
  for (const [mine, least, uneven] of [
    [0, 0, false],
    [4, 0, false],
    [5, 0, true],
    [250, 235, false],
    [250, 234, true],
  ] as const) {
    t.equal(isUneven(mine, least), uneven, `${mine} to ${least}`)
  }
})

t.test('rows of processes', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'load-'))
  const fd = openSync(join(dir, 'lock'), 'w+')
  t.teardown(() => {
    closeSync(fd)
    rmSync(dir, { recursive: true })
  })
  const alive = new Set([1, 2, 3])
  const table = (pid: number): LoadTable => new LoadTable(fd, pid, (other) => alive.has(other))
  const [one, two, three] = [table(1), table(2), table(3)]
  one.register(10)
  one.refresh(10)
  t.equal(one.lessLoaded(10), undefined, 'alone')
  two.register(2)
  one.refresh(10)
  t.equal(one.lessLoaded(10), 2, 'the second has fewer')
  two.refresh(2)
  t.equal(two.lessLoaded(2), undefined)
  three.register(1)
  one.refresh(10)
  t.equal(one.lessLoaded(10), 3, 'the third has the fewest')
  three.say(1, false)
  one.refresh(10)
  t.equal(one.lessLoaded(10), 2, 'but is full, or leaving')
  alive.delete(2)
  t.equal(one.lessLoaded(10), undefined, 'nobody waits for the dead')
  alive.add(256 + 2)
  const other = table(256 + 2)
  other.register(0)
  one.refresh(10)
  t.equal(one.lessLoaded(10), 2, 'a new process takes the row of a dead one')
  one.distrust(2)
  t.equal(one.lessLoaded(10), undefined)
  other.refresh(0)
  one.refresh(10)
  t.equal(one.lessLoaded(10), 2, 'until it says something')
  alive.add(512 + 2)
  const third = table(512 + 2)
  third.register(0)
  other.refresh(6)
  one.refresh(10)
  t.equal(one.lessLoaded(10), 4, 'a row that is taken is passed over: the next that is free')
})
