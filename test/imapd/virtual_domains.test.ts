/** Users of virtual domains: each sees their own domain without its name, an administrator all of them with it (played to Cyrus 3.6.1 alike). */
import t from 'tap'
import { passwordStore } from '../../lib/sasl/check_password.js'
import { fixture } from './fixture.js'

t.test('two users of one name in two domains', async (t) => {
  const { server, conversation } = await fixture(
    t,
    'virtdomains: userid\ndefaultdomain: internal\naltnamespace: no\nunixhierarchysep: yes',
  )
  for (const user of ['alice@dom.test', 'bob@dom.test']) await passwordStore(server.config).set(user, 'testpw')
  await conversation.play(`
    R> l LOGIN cyrus testpw
    R< l OK …
    R> 1 CREATE user/alice@dom.test
    R< 1 OK …
    R> 2 CREATE user/alice/a.b@dom.test
    R< 2 OK …
    R> 3 CREATE user/bob@dom.test
    R< 3 OK …
    R> 4 CREATE shared@dom.test
    R< 4 OK …
    R> 5 CREATE shared
    R< 5 OK …
    R> 6 CREATE dom
    R< 6 OK …
    R> 7 CREATE user/carol@internal
    R< 7 OK …
    R> 8 CREATE user/x@../y
    R< 8 NO [CANNOT] Invalid mailbox name: …
    R> 9 LIST "" *
    R< * LIST (\\HasChildren) "/" user/alice@dom.test
    R< * LIST (\\HasNoChildren) "/" user/alice/a.b@dom.test
    R< * LIST (\\HasNoChildren) "/" user/bob@dom.test
    R< * LIST (\\HasNoChildren) "/" user/alice
    R< * LIST (\\HasNoChildren) "/" user/bob
    R< * LIST (\\HasNoChildren) "/" user/carol
    R< * LIST (\\HasNoChildren) "/" dom
    R< * LIST (\\HasNoChildren) "/" shared@dom.test
    R< * LIST (\\HasNoChildren) "/" shared
    R< 9 OK Completed
    R> 10 LIST "" *@dom.test
    R< * LIST (\\HasChildren) "/" user/alice@dom.test
    R< * LIST (\\HasNoChildren) "/" user/alice/a.b@dom.test
    R< * LIST (\\HasNoChildren) "/" user/bob@dom.test
    R< * LIST (\\HasNoChildren) "/" shared@dom.test
    R< 10 OK Completed
    R> 11 SETQUOTA user/alice@dom.test (STORAGE 100)
    R< 11 OK Completed
    R> 12 GETQUOTAROOT user/alice/a.b@dom.test
    R< * QUOTAROOT user/alice/a.b@dom.test user/alice@dom.test
    R< * QUOTA user/alice@dom.test (STORAGE 0 100)
    R< 12 OK Completed
    R> 13 GETACL user/alice@dom.test
    R< * ACL user/alice@dom.test alice@dom.test lrswipkxtecdan
    R< 13 OK Completed
    A> l LOGIN alice@dom.test testpw
    A< l OK …
    A> 1 LIST "" *
    A< * LIST (\\HasChildren) "/" INBOX
    A< * LIST (\\HasNoChildren) "/" INBOX/a.b
    A< * LIST (\\HasNoChildren) "/" shared
    A< 1 OK Completed
    A> 2 SETACL INBOX bob@dom.test lr
    A< 2 OK Completed
    A> 3 STATUS user/alice@dom.test (MESSAGES)
    A< 3 NO [NONEXISTENT] Mailbox does not exist
    A> 4 STATUS user/alice (MESSAGES)
    A< * STATUS user/alice (MESSAGES 0)
    A< 4 OK Completed
    A> 5 SUBSCRIBE INBOX/a.b
    A< 5 OK Completed
    A> 6 LSUB "" *
    A< * LSUB () "/" INBOX/a.b
    A< 6 OK Completed
    A> 7 DELETE INBOX/a.b
    A< 7 OK Completed
    B> l LOGIN bob@dom.test testpw
    B< l OK …
    B> 1 LIST "" *
    B< * LIST (\\HasNoChildren) "/" INBOX
    B< * LIST (\\HasNoChildren) "/" user/alice
    B< * LIST (\\HasNoChildren) "/" shared
    B< 1 OK Completed
    C> l LOGIN alice@internal testpw
    C< l OK …
    C> 1 LIST "" *
    C< * LIST (\\HasNoChildren) "/" INBOX
    C< * LIST (\\HasNoChildren) "/" dom
    C< * LIST (\\HasNoChildren) "/" shared
    C< 1 OK Completed
    C> 2 SELECT user/bob@dom.test
    C< 2 NO [NONEXISTENT] Mailbox does not exist
    C> 3 GETACL INBOX
    C< * ACL INBOX alice lrswipkxtecdan
    C< 3 OK Completed
    R> 14 LIST "" DELETED/*
    R< * LIST (\\HasNoChildren) "/" DELETED/user/alice/a.b/…@dom.test
    R< 14 OK Completed
    R> 15 SETACL user/bob@dom.test cyrus x
    R< 15 OK Completed
    R> 16 DELETE user/bob@dom.test
    R< 16 OK Completed
  `)
  t.same(
    [...server.store.mailboxes('')].map(({ name }) => name.replace(/[0-9A-F]{8}$/, 'TIME')),
    [
      'dom',
      'dom.test!DELETED.user.alice.a^b.TIME',
      'dom.test!DELETED.user.bob.TIME',
      'dom.test!shared',
      'dom.test!user.alice',
      'shared',
      'user.alice',
      'user.bob',
      'user.carol',
    ],
  )
  t.same(
    [...server.store.mailboxes('dom')].map(({ name }) => name),
    ['dom'],
    'a domain is below no mailbox',
  )
})

t.test('the alternative namespace in a domain', async (t) => {
  const { server, conversation } = await fixture(t, 'virtdomains: userid\naltnamespace: yes\nunixhierarchysep: yes')
  await passwordStore(server.config).set('zoe@dom.test', 'testpw')
  await conversation.play(`
    R> l LOGIN cyrus testpw
    R< l OK …
    R> 1 CREATE user/zoe@dom.test
    R< 1 OK …
    R> 2 CREATE user/yan@dom.test
    R< 2 OK …
    R> 3 SETACL user/yan@dom.test zoe@dom.test lr
    R< 3 OK Completed
    R> 4 CREATE team@dom.test
    R< 4 OK …
    Z> l LOGIN zoe@dom.test testpw
    Z< l OK …
    Z> 1 CREATE Work
    Z< 1 OK …
    Z> 2 CREATE x^y
    Z< 2 NO [CANNOT] Invalid mailbox name: …
    Z> 3 LIST "" *
    Z< * LIST (\\HasNoChildren) "/" INBOX
    Z< * LIST (\\HasNoChildren) "/" Work
    Z< * LIST (\\HasNoChildren) "/" "Other Users/yan"
    Z< * LIST (\\HasNoChildren) "/" "Shared Folders/team"
    Z< 3 OK Completed
    Z> 4 LIST "" "Shared Folders/%"
    Z< * LIST (\\HasNoChildren) "/" "Shared Folders/team"
    Z< 4 OK Completed
    Z> 5 LIST "" "Other Users/*"
    Z< * LIST (\\HasNoChildren) "/" "Other Users/yan"
    Z< 5 OK Completed
    Z> 6 LIST "" %
    Z< * LIST (\\HasNoChildren) "/" INBOX
    Z< * LIST (\\HasNoChildren) "/" Work
    Z< * LIST (\\Noselect \\HasChildren) "/" "Other Users"
    Z< * LIST (\\Noselect \\HasChildren) "/" "Shared Folders"
    Z< 6 OK Completed
  `)
  t.ok(server.store.mailbox('dom.test!user.zoe.Work'))
})
