/** Planning: renames in a possible order, what is removed, what is in the way; and the table of the full comparison (csync.md §9.1). */
import t from 'tap'
import { compareRecords, type FolderPlan, isUnchanged, type Place, planFolders } from '../../lib/sync/client/plan.js'
import type { SyncRecord } from '../../lib/sync/record_codec.js'

const place = (text: string): Place => {
  const [uniqueid = '', name = '', what = ''] = text.split(' ')
  return { uniqueid, name, partition: 'default', intermediate: what === 'i', empty: what === 'empty' }
}
function plan(ours: string[], theirs: string[], deleted: string[] = []): FolderPlan {
  return planFolders(
    ours.map(place),
    theirs.map(place),
    ({ name }) => deleted.includes(name),
    ({ uniqueid }) => `aside-${uniqueid}`,
  )
}
const renames = ({ renames: list }: FolderPlan): string[] => list.map(({ from, to }) => `${from}>${to}`)

t.test('folders', async (t) => {
  t.strictSame(renames(plan(['1 a', '2 b'], ['1 a', '2 b'])), [])
  t.strictSame(renames(plan(['1 b', '2 c'], ['1 a', '2 b'])), ['b>c', 'a>b'], 'no target is another one’s source')
  t.strictSame(renames(plan(['1 b', '2 a'], ['1 a', '2 b'])), ['a>aside-1', 'b>a', 'aside-1>b'], 'a swap')
  t.strictSame(
    renames(plan(['1 b', '2 c', '3 a'], ['1 a', '2 b', '3 c'])),
    ['a>aside-1', 'c>a', 'b>c', 'aside-1>b'],
    'a circle of three',
  )
  t.match(
    plan(['1 b'], ['1 a', '9 b'], ['b']),
    { remove: ['b'], renames: [{ from: 'a', to: 'b' }] },
    'a deleted one makes room',
  )
  t.match(
    plan(['1 b'], ['1 a', '9 b empty']),
    { remove: ['b'], renames: [{ from: 'a', to: 'b' }], unexplained: ['b'] },
    'a stray one makes room',
  )
  t.match(
    plan(['1 b'], ['1 a', '9 b']),
    { remove: [], renames: [], blocked: [{ from: 'a', to: 'b' }] },
    'one with messages does not',
  )
  t.match(
    plan(['1 b'], ['1 a', '9 b i']),
    { remove: [], renames: [{ from: 'a', to: 'b' }], blocked: [] },
    'an intermediate one is not there',
  )
  t.match(plan(['1 a'], ['1 a', '9 b']), { remove: [], unexplained: ['b'] })
  const moved = planFolders(
    [{ ...place('1 a'), partition: 'two' }],
    [place('1 a')],
    () => false,
    () => '',
  )
  t.match(moved.renames, [{ from: 'a', to: 'a', partition: 'two' }])
  t.strictSame(
    planFolders(
      [{ ...place('1 a'), partition: 'two' }],
      [place('1 a')],
      () => false,
      () => '',
      { partitionMoves: false },
    ).renames,
    [],
  )
})

const record = (uid: number, guid: string, modseq: number, more: Partial<SyncRecord> = {}): SyncRecord => ({
  uid,
  guid: guid.repeat(40),
  modseq,
  lastUpdated: 1000,
  flags: [],
  internaldate: 1,
  size: 1,
  annotations: [],
  ...more,
})
const gone = { flags: ['\\Expunged'] }

t.test('the full comparison', async (t) => {
  const compare = (ours: SyncRecord[], theirs: SyncRecord[], master = {}, replica = {}): unknown => {
    const { resolutions, expungeThere } = compareRecords(
      ours,
      theirs,
      { lastUid: 10, highestModseq: 50, deletedModseq: 0, ...master },
      { lastUid: 10, highestModseq: 50, ...replica },
    )
    return [
      ...resolutions.map((each) =>
        each.kind === 'renumber'
          ? `renumber ${each.uid}`
          : each.kind === 'copyback'
            ? `copyback ${each.record.uid}${each.keepUid ? '' : ' anew'}`
            : `rewrite ${each.uid}${each.expunge ? ' expunged' : each.from === undefined ? '' : ' theirs'}`,
      ),
      ...expungeThere.map((uid) => `expunge ${uid}`),
    ]
  }
  t.strictSame(compare([record(1, 'a', 5)], [record(1, 'a', 5)]), [], 'the same')
  t.strictSame(compare([record(1, 'a', 5, gone)], [record(1, 'b', 9, gone)]), [], 'both expunged')
  t.strictSame(
    compare([record(1, 'a', 5)], [record(1, 'b', 5)]),
    ['renumber 1', 'copyback 1 anew', 'expunge 1'],
    'other GUID, ours is lower',
  )
  t.strictSame(
    compare([record(1, 'b', 5)], [record(1, 'a', 5)]),
    ['copyback 1 anew', 'renumber 1', 'expunge 1'],
    'other GUID, theirs is lower',
  )
  t.strictSame(compare([record(1, 'a', 5)], [record(1, 'a', 9, { flags: ['x'], lastUpdated: 1000 })]), [
    'rewrite 1 theirs',
  ])
  t.strictSame(
    compare([record(1, 'a', 5)], [record(1, 'a', 9, { flags: ['x'], lastUpdated: 999 })]),
    ['rewrite 1'],
    'theirs is older',
  )
  t.strictSame(compare([record(1, 'a', 9)], [record(1, 'a', 5, { flags: ['x'] })]), ['rewrite 1'])
  t.strictSame(compare([record(1, 'a', 5, gone)], [record(1, 'a', 9)]), ['rewrite 1 expunged'])
  t.strictSame(compare([record(1, 'a', 9)], [record(1, 'a', 5, gone)]), ['rewrite 1 expunged'])
  t.strictSame(compare([record(3, 'a', 5)], []), ['renumber 3'], 'only here, where the replica has given UIDs already')
  t.strictSame(compare([record(3, 'a', 5, gone)], []), [])
  t.strictSame(
    compare([record(11, 'a', 5)], [], { lastUid: 11 }),
    ['rewrite 11'],
    'only here, above, but with an old modseq',
  )
  t.strictSame(compare([record(11, 'a', 51)], [], { lastUid: 11 }), [], 'only here and new: the delta brings it')
  t.strictSame(compare([], [record(3, 'a', 5, gone)]), [])
  t.strictSame(compare([], [record(11, 'a', 5)], {}, { lastUid: 11 }), ['copyback 11'], 'only there, above')
  t.strictSame(compare([], [record(3, 'a', 5)]), ['copyback 3 anew', 'expunge 3'])
  t.strictSame(compare([], [record(3, 'a', 5)], { deletedModseq: 6 }), ['expunge 3'], 'stale')
})

t.test('unchanged', async (t) => {
  const state = {
    uniqueid: 'u',
    name: 'n',
    mbtype: '',
    crc: 5,
    crcAnnot: 6,
    lastUid: 1,
    highestModseq: 2,
    recentUid: 0,
    recentTime: 0,
    lastAppendDate: 9,
    pop3LastLogin: 0,
    pop3ShowAfter: 0,
    uidvalidity: 7,
    partition: 'default',
    acl: 'a',
    options: 'P',
    createdModseq: 1,
    folderModseq: 1,
    annotations: [],
  }
  t.ok(isUnchanged(state, { ...state }))
  t.ok(
    isUnchanged(state, { ...state, crc: 0, crcAnnot: undefined, lastAppendDate: 1, createdModseq: 5, partition: 'x' }),
    'not known or not compared',
  )
  for (const change of [
    { crc: 4 },
    { crcAnnot: 4 },
    { lastUid: 2 },
    { highestModseq: 3 },
    { uidvalidity: 8 },
    { acl: '' },
    { options: '' },
    { recentUid: 1 },
    { recentTime: 1 },
    { pop3LastLogin: 1 },
    { folderModseq: 2 },
    { mbtype: 'f' },
    { annotations: [{ entry: '/comment', userid: '', modseq: 0, value: Buffer.from('x') }] },
  ])
    t.notOk(isUnchanged(state, { ...state, ...change }), JSON.stringify(change))
})
