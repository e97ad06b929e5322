/** Who may look which mailbox up, found without looking at the others: kept with every change, in pages, and made for databases from before. */
import { join } from 'node:path'
import t from 'tap'
import { setAcl } from '../../lib/mailbox/access.js'
import { createMailbox, deleteMailbox, renameMailbox } from '../../lib/mailbox/folders.js'
import { openDatabase } from '../../lib/store/database.js'
import { MailStore } from '../../lib/store/store.js'
import { silent, storeFixture } from '../fixture_store.js'

function listed(store: MailStore, identifier: string | undefined, prefix = ''): string[] {
  const names: string[] = []
  for (let from: string | undefined = ''; from !== undefined; ) {
    const page = store.mailboxPage(from, prefix, identifier)
    names.push(...page.found.map(({ name }) => name))
    from = page.next
  }
  return names
}

t.test('follows creation, ACL, name and deletion', async (t) => {
  const { store } = await storeFixture(t, 'delete_mode: immediate')
  await createMailbox(store, 'user.alice')
  const sub = await createMailbox(store, 'user.alice.sub')
  await createMailbox(store, 'shared')
  t.same(listed(store, 'alice'), ['user.alice', 'user.alice.sub'])
  t.same(listed(store, 'anyone'), ['shared'])
  t.same(listed(store, 'bob'), [])
  await setAcl(store, sub, (acl) => `${acl}bob\tlr\tcarol\tr\t-dave\tl\t`)
  t.same(listed(store, 'bob'), ['user.alice.sub'])
  t.same(listed(store, 'carol'), [], 'not without l')
  t.same(listed(store, 'dave'), [])
  await renameMailbox(store, 'user.alice.sub', 'user.alice.other')
  t.same(listed(store, 'bob'), ['user.alice.other'])
  t.same(listed(store, 'bob', 'user.alice'), ['user.alice.other'])
  t.same(listed(store, 'bob', 'user.al'), [], 'below a whole name only')
  await setAcl(store, store.mailbox('user.alice.other')!, () => 'alice\tlr\t')
  t.same(listed(store, 'bob'), [])
  await deleteMailbox(store, 'user.alice.other')
  t.same(listed(store, 'alice'), ['user.alice'])
})

t.test('lists longer than a page', async (t) => {
  const { store } = await storeFixture(t)
  await createMailbox(store, 'a')
  const all = ['a', ...Array.from({ length: 700 }, (_, n) => `a.m${String(n).padStart(3, '0')}`)]
  for (const name of all.slice(1)) await createMailbox(store, name)
  await createMailbox(store, 'a-b')
  await createMailbox(store, 'b')
  t.same(listed(store, 'anyone', 'a'), all)
  t.same(listed(store, undefined, 'a'), all)
  t.same(listed(store, undefined), [...all, 'a-b', 'b'])
})

t.test('a database from before there was this table gets it', async (t) => {
  const { store, config, directory } = await storeFixture(t)
  await createMailbox(store, 'user.alice')
  await createMailbox(store, 'shared')
  await store.close()
  const database = await openDatabase(join(directory, 'conf/store'), 1024 ** 3)
  await database.commit(() => {
    database.tables.meta.remove('granted')
    for (const key of [...database.tables.granted.getKeys({})]) database.tables.granted.remove(key)
  })
  await database.close()
  const again = await MailStore.open(config, silent)
  t.teardown(() => again.close())
  t.same(listed(again, 'alice'), ['user.alice'])
  t.same(listed(again, 'anyone'), ['shared'])
})
