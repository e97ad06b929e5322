/** Names in all four namespaces, rights by ACL, UID sets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Config } from '../../lib/config/config.js'
import { parseAcl, rightsOf } from '../../lib/mailbox/acl.js'
import { inboxOf, isInbox, Namespace, nameProblem, ownerOf, parentOf } from '../../lib/mailbox/names.js'
import { contains, difference, formatUidSet, parseUidSet, rangesOf, union } from '../../lib/mailbox/uid_set.js'

const directory = mkdtempSync(join(tmpdir(), 'names-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function namespace(alternative: boolean, slash: boolean, userid = 'alice', admin = false): Namespace {
  const path = join(directory, 'imapd.conf')
  writeFileSync(path, `altnamespace: ${alternative}\nunixhierarchysep: ${slash}\n`)
  return new Namespace(Config.load(path), userid, admin)
}

t.test('external and internal names, both ways', async (t) => {
  const table: [Namespace, [internal: string, external: string][]][] = [
    [
      namespace(false, true),
      [
        ['user.alice', 'INBOX'],
        ['user.alice.Archive.a^b', 'INBOX/Archive/a.b'],
        ['user.first^last.x', 'user/first.last/x'],
        ['shared.news', 'shared/news'],
      ],
    ],
    [
      namespace(true, true),
      [
        ['user.alice', 'INBOX'],
        ['user.alice.Archive.2026', 'Archive/2026'],
        ['user.bob.x', 'Other Users/bob/x'],
        ['shared.news', 'Shared Folders/shared/news'],
      ],
    ],
    [
      namespace(false, false),
      [
        ['user.alice.Archive', 'INBOX.Archive'],
        ['user.bob', 'user.bob'],
      ],
    ],
    [
      namespace(true, true, 'cyrus', true),
      [
        ['user.alice.x', 'user/alice/x'],
        ['user.cyrus', 'INBOX'],
      ],
    ],
  ]
  for (const [view, pairs] of table) {
    for (const [internal, external] of pairs) {
      t.equal(view.toExternal(internal), external)
      t.equal(view.toInternal(external), internal)
    }
    t.equal(view.toInternal('inbox'), inboxOf(view.userid))
  }
})

t.test('owners, parents, what may be a name', async (t) => {
  t.equal(ownerOf('user.first^last.x'), 'first.last')
  t.equal(ownerOf('DELETED.user.alice.x.6B042248'), 'alice')
  t.equal(ownerOf('shared.x'), undefined)
  t.equal(inboxOf('first.last'), 'user.first^last')
  t.equal(parentOf('user.alice'), undefined)
  t.equal(parentOf('user.alice.x'), 'user.alice')
  t.ok(isInbox('user.alice'))
  t.notOk(isInbox('user.alice.x'))
  for (const good of ['user.alice', 'user.alice.Entw&APw-rfe', 'a.b c', 'user.alice.a&-b', 'user.alice.a*b'])
    t.equal(nameProblem(good), undefined, good)
  for (const bad of ['', 'a..b', '.a', 'a.', 'a/b', 'a%', 'a\x01', 'a\u00fc', 'a&b', `user.${'x'.repeat(490)}`, '~a'])
    t.ok(nameProblem(bad), bad)
})

t.test('rights: own, anyone, negative, implicit ones of owners and administrators', async (t) => {
  const mailbox = { name: 'user.alice.x', acl: 'bob\tlrs\tanyone\tlp\t-carol\tl\t' }
  t.equal(rightsOf(mailbox, 'bob', false).letters, 'lrsp')
  t.equal(rightsOf(mailbox, 'carol', false).letters, 'p')
  t.equal(rightsOf(mailbox, 'alice', false).letters, 'lpkxcan')
  t.equal(rightsOf({ ...mailbox, acl: '' }, 'cyrus', true).letters, 'la')
  t.notOk(rightsOf({ ...mailbox, acl: '' }, 'cyrus', true).has('r'), 'administrators do not read mail')
  t.same(parseAcl('a\tlrs\tb'), [['a', 'lrs']])
  t.equal(rightsOf({ name: 'x', acl: 'group:root\tlr\t' }, 'root', false).letters, 'lr', 'a Unix group')
  t.equal(rightsOf({ name: 'x', acl: 'group:root\tlr\t' }, 'alice', false).letters, '')
})

t.test('UID sets: union, difference, membership, against plain sets', async (t) => {
  t.equal(formatUidSet(parseUidSet('5,1:3,4,9:7')), '1:5,7:9')
  t.equal(formatUidSet(parseUidSet('1,x,2')), '1')
  let seed = 7
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n
  const some = () => new Set(Array.from({ length: random(30) }, () => 1 + random(40)))
  const ranges = (set: Set<number>) => rangesOf([...set].sort((a, b) => a - b))
  for (let n = 0; n < 300; n++) {
    const [a, b] = [some(), some()]
    t.same(union(ranges(a), ranges(b)), ranges(new Set([...a, ...b])))
    t.same(difference(ranges(a), ranges(b)), ranges(new Set([...a].filter((uid) => !b.has(uid)))))
    t.ok([...Array(45).keys()].every((uid) => contains(ranges(a), uid) === a.has(uid)))
  }
})
