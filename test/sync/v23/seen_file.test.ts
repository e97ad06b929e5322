/** Seen files of Cyrus 2.3 read and written; those in the captures are what Cyrus itself wrote. */
import t from 'tap'
import type { SeenEntry } from '../../../lib/store/store.js'
import { readSeenFile, SeenFileError, writeSeenFile } from '../../../lib/sync/v23/seen_file.js'
import { conversations } from './history.js'

/** The files of a capture's SETSEEN_ALL commands. */
function captured(number: string): Buffer[] {
  return conversations(number)
    .flat()
    .flatMap(({ text }) => {
      const head = /^SETSEEN_ALL \S+ \{(\d+)\+\}\r\n/.exec(text)
      return head === null ? [] : [Buffer.from(text.slice(head[0].length, head[0].length + Number(head[1])), 'latin1')]
    })
}

const entry = (text: string): SeenEntry => {
  const [lastRead, lastUid, lastChange, seenUids = ''] = text.split(' ')
  return { lastRead: Number(lastRead), lastUid: Number(lastUid), lastChange: Number(lastChange), seenUids }
}

t.test('what Cyrus wrote, with all the changes in its log', async (t) => {
  t.same(readSeenFile(captured('21')[0]!).get('7adce5976b041714'), entry('1795430269 4 1795430269 1:3'))
  t.same(readSeenFile(captured('21')[0]!).get('42c538d36b041718'), entry('1795430208 5 1795430168 3'))
  t.same(readSeenFile(captured('27')[0]!).get('42c538d26b041718'), entry('1795430271 4 1795430271 1:3'))
  t.equal(readSeenFile(captured('04')[0]!).size, 1)
})

t.test('flat files', async (t) => {
  const text = 'abc\t1 10 2 11 1:2\ndef\t1 10 2 11 \nold\t7 1 2 3 4\n'
  t.same(
    [...readSeenFile(Buffer.from(text))],
    [
      ['abc', entry('10 2 11 1:2')],
      ['def', entry('10 2 11')],
    ],
  )
  t.equal(readSeenFile(Buffer.alloc(0)).size, 0)
})

t.test('what was written is read, and can be walked by its pointers on every level', async (t) => {
  for (const count of [0, 1, 2, 7, 100]) {
    const entries = new Map(
      Array.from({ length: count }, (_, n) => [`id${String(n * 7919).padStart(6, '0')}`, entry(`${n} 2 3 1:${n + 1}`)]),
    )
    const bytes = writeSeenFile(entries, 1795430164)
    t.same(readSeenFile(bytes), new Map([...entries].sort()))
    t.equal(bytes.readUInt32BE(36), count, 'its list size')
    t.equal(bytes.readUInt32BE(40), bytes.length, 'its log begins at its end')
    const current = bytes.readUInt32BE(32)
    for (let level = 0; level < current; level++) {
      const keys: string[] = []
      let pointers = 48 + 12
      for (let at = bytes.readUInt32BE(pointers + 4 * level); at !== 0; at = bytes.readUInt32BE(pointers + 4 * level)) {
        const key = bytes.readUInt32BE(at + 4)
        const value = bytes.readUInt32BE(at + 8 + ((key + 3) & ~3))
        keys.push(bytes.toString('latin1', at + 8, at + 8 + key))
        pointers = at + 12 + ((key + 3) & ~3) + ((value + 3) & ~3)
      }
      t.same(keys, [...keys].sort(), `level ${level} of ${count}`)
      if (level === 0) t.equal(keys.length, count)
      else t.ok(keys.length < count || count < 2)
    }
  }
})

t.test('damaged files are told so, whatever is wrong with them', async (t) => {
  const good = captured('21')[0]!
  for (let cut = 0; cut < good.length; cut += 7) {
    const bytes = Buffer.from(good.subarray(0, cut))
    try {
      readSeenFile(bytes)
    } catch (error) {
      if (!(error instanceof SeenFileError)) t.fail(`cut at ${cut}: ${error}`)
    }
  }
  let random = 1
  for (let n = 0; n < 2000; n++) {
    const bytes = Buffer.from(good)
    for (let k = 0; k < 3; k++) {
      random = (Math.imul(random, 1664525) + 1013904223) >>> 0
      bytes[random % bytes.length] = random >>> 24
    }
    try {
      readSeenFile(bytes)
    } catch (error) {
      if (!(error instanceof SeenFileError)) t.fail(`damage ${n}: ${error}`)
    }
  }
  t.throws(() => readSeenFile(Buffer.from('rubbish')), new SeenFileError('neither a skiplist nor a flat seen file'))
})
