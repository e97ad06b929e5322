/** LIST with what was added to it: RFC 5258's own examples, status, rights, uses, metadata; and what the administrator and guests see. */
import t from 'tap'
import { createMailbox } from '../../lib/mailbox/folders.js'
import { setSubscribed } from '../../lib/mailbox/subscriptions.js'
import { fixture, LOGIN } from './fixture.js'

const NAMES = 'altnamespace: yes\nunixhierarchysep: yes\nspecialusealways: no'

t.test('the examples of RFC 5258 section 5', async (t) => {
  const { server, conversation } = await fixture(t, NAMES)
  for (const name of [
    'Fruit',
    'Fruit.Apple',
    'Fruit.Banana',
    'Tofu',
    'Vegetable',
    'Vegetable.Broccoli',
    'Vegetable.Corn',
  ])
    await createMailbox(server.store, `user.alice.${name}`)
  for (const name of ['', '.Fruit.Banana', '.Fruit.Peach', '.Vegetable', '.Vegetable.Broccoli'])
    await setSubscribed(server.store, 'alice', `user.alice${name}`, true)
  await conversation.play(`${LOGIN}
    A> A01 LIST "" "*"
    A< * LIST (\\HasNoChildren) "/" INBOX
    A< * LIST (\\HasChildren) "/" Fruit
    A< * LIST (\\HasNoChildren) "/" Fruit/Apple
    A< * LIST (\\HasNoChildren) "/" Fruit/Banana
    A< * LIST (\\HasNoChildren) "/" Tofu
    A< * LIST (\\HasChildren) "/" Vegetable
    A< * LIST (\\HasNoChildren) "/" Vegetable/Broccoli
    A< * LIST (\\HasNoChildren) "/" Vegetable/Corn
    A< A01 OK Completed
    A> A02 LIST (SUBSCRIBED) "" "*"
    A< * LIST (\\Subscribed \\HasNoChildren) "/" INBOX
    A< * LIST (\\Subscribed \\HasNoChildren) "/" Fruit/Banana
    A< * LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" Fruit/Peach
    A< * LIST (\\Subscribed \\HasChildren) "/" Vegetable
    A< * LIST (\\Subscribed \\HasNoChildren) "/" Vegetable/Broccoli
    A< A02 OK Completed
    A> A03 LIST () "" "%" RETURN (CHILDREN)
    A< * LIST (\\HasNoChildren) "/" INBOX
    A< * LIST (\\HasChildren) "/" Fruit
    A< * LIST (\\HasNoChildren) "/" Tofu
    A< * LIST (\\HasChildren) "/" Vegetable
    A< A03 OK Completed
    A> A06 LIST (REMOTE SUBSCRIBED) "" "*" RETURN (CHILDREN)
    A< * LIST (\\Subscribed \\HasNoChildren) "/" INBOX
    A< * LIST (\\Subscribed \\HasNoChildren) "/" Fruit/Banana
    A< * LIST (\\NonExistent \\Subscribed \\HasNoChildren) "/" Fruit/Peach
    A< * LIST (\\Subscribed \\HasChildren) "/" Vegetable
    A< * LIST (\\Subscribed \\HasNoChildren) "/" Vegetable/Broccoli
    A< A06 OK Completed
    A> BBB LIST "" ("INBOX" "Fruit" "Fruit/%" "nope")
    A< * LIST (\\HasNoChildren) "/" INBOX
    A< * LIST (\\HasChildren) "/" Fruit
    A< * LIST (\\HasNoChildren) "/" Fruit/Apple
    A< * LIST (\\HasNoChildren) "/" Fruit/Banana
    A< BBB OK Completed
    A> C04 LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
    A< * LIST (\\Subscribed \\HasNoChildren) "/" INBOX
    A< * LIST (\\HasChildren) "/" Fruit (CHILDINFO ("SUBSCRIBED"))
    A< * LIST (\\Subscribed \\HasChildren) "/" Vegetable (CHILDINFO ("SUBSCRIBED"))
    A< C04 OK Completed
    A> D1 LIST "" "%" RETURN (SUBSCRIBED)
    A< * LIST (\\Subscribed \\HasNoChildren) "/" INBOX
    A< * LIST (\\HasChildren) "/" Fruit
    A< * LIST (\\HasNoChildren) "/" Tofu
    A< * LIST (\\Subscribed \\HasChildren) "/" Vegetable
    A< D1 OK Completed
    A> E1 LIST (RECURSIVEMATCH) "" "%"
    A< E1 BAD Invalid combination of selection options
    A> E2 LIST (SUBSCRIBED BOGUS) "" "%"
    A< E2 BAD Invalid List selection option "bogus" at column …
    A> E3 LIST "" "%" RETURN (BOGUS)
    A< E3 BAD Invalid List return option "bogus" at column …
    A> E4 LIST "" "%" RETURN CHILDREN
    A< E4 BAD Missing return argument list at column …
    A> E5 LIST () "" "" RETURN ()
    A< E5 OK Completed
  `)
})

t.test('status, rights, uses and metadata beside the names', async (t) => {
  const { conversation } = await fixture(t, NAMES)
  await conversation.play(`${LOGIN}
    A> 1 CREATE Sent (USE (\\Sent))
    A< 1 OK [MAILBOXID (…)] Completed
    A> 2 APPEND Sent {17}
    A< + go ahead
    A> Subject: x\\r\\n\\r\\nx\\r\\n
    A< 2 OK [APPENDUID … 1] Completed
    A> 3 LIST "" "%" RETURN (STATUS (MESSAGES UNSEEN) MYRIGHTS)
    A< * LIST (\\HasNoChildren) "/" INBOX
    A< * STATUS INBOX (MESSAGES 0 UNSEEN 0)
    A< * MYRIGHTS INBOX lrswipkxtecdan
    A< * LIST (\\HasNoChildren) "/" Sent
    A< * STATUS Sent (MESSAGES 1 UNSEEN 1)
    A< * MYRIGHTS Sent lrswipkxtecdan
    A< 3 OK Completed
    A> 4 LIST "" "%" RETURN (SPECIAL-USE)
    A< * LIST (\\HasNoChildren) "/" INBOX
    A< * LIST (\\HasNoChildren \\Sent) "/" Sent
    A< 4 OK Completed
    A> 5 LIST (SPECIAL-USE) "" "*"
    A< * LIST (\\HasNoChildren \\Sent) "/" Sent
    A< 5 OK Completed
    A> 6 XLIST "" "*"
    A< * XLIST (\\HasNoChildren \\Inbox) "/" INBOX
    A< * XLIST (\\HasNoChildren \\Sent) "/" Sent
    A< 6 OK Completed
    A> 7 CREATE More (USE (\\Sent))
    A< 7 NO [USEATTR] SPECIAL-USE flag conflict
    A> 8 CREATE More (USE (\\All))
    A< 8 NO [USEATTR] Invalid annotation entry
    A> 9 CREATE More (COLOR (blue))
    A< 9 BAD Unknown parameter in Create at column …
    A> 10 DELETE Sent
    A< 10 NO [USEATTR] SPECIAL-USE flag conflict
    A> 11 RENAME Sent Outbox
    A< * OK rename Sent Outbox
    A< 11 OK Completed
    A> 12 SETMETADATA Outbox (/private/specialuse NIL /shared/comment "what was sent")
    A< 12 OK Completed
    A> 13 LIST (SPECIAL-USE) "" "*"
    A< 13 OK Completed
    A> 14 LIST "" Outbox RETURN (METADATA (/shared/comment /private/comment))
    A< * LIST (\\HasNoChildren) "/" Outbox
    A< * METADATA Outbox ("/shared/comment" "what was sent" "/private/comment" NIL)
    A< 14 OK Completed
    A> 15 DELETE Outbox
    A< 15 OK Completed
  `)
})

t.test('metadata of the server, and the notices it stands for', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    R> 1 LOGIN cyrus testpw
    R< 1 OK …
    R> 2 SETMETADATA "" (/shared/comment "Ours" /shared/motd "Read this" /shared/admin "mailto:root")
    R< 2 OK Completed
    A> 3 GETMETADATA "" (/shared/comment /shared/motd /shared/admin)
    A< * METADATA "" ("/shared/admin" "mailto:root" "/shared/comment" "Ours" "/shared/motd" "Read this")
    A< 3 OK Completed
    A> 4 SETMETADATA "" (/shared/motd "Mine")
    A< 4 NO [NOPERM] Permission denied
    A> 5 GETMETADATA "" /shared/vendor/cmu/cyrus-imapd/freespace
    A< * METADATA "" ("/shared/vendor/cmu/cyrus-imapd/freespace" "…")
    A< 5 OK Completed
    B> 1 LOGIN bob testpw
    B< * OK [ALERT] Read this
    B< 1 OK …
    R> 6 SETMETADATA "" (/shared/motd NIL /shared/vendor/cmu/cyrus-imapd/shutdown "Back at noon")
    R< 6 OK Completed
    A> 7 NOOP
    A< * BYE [ALERT] Back at noon
    A< EOF
    R> 8 NOOP
    R< 8 OK Completed
    R> 9 SETMETADATA "" (/shared/vendor/cmu/cyrus-imapd/shutdown NIL)
    R< 9 OK Completed
    C> 1 LOGIN alice testpw
    C< 1 OK …
  `)
})

t.test('SCAN finds mailboxes by what is in them', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${LOGIN}
    A> 1 CREATE INBOX.a
    A< 1 OK …
    A> 2 CREATE INBOX.b
    A< 2 OK …
    A> 3 APPEND INBOX.a {26+}\\r\\nSubject: Lunch\\r\\n\\r\\nSushi!\\r\\n
    A< 3 OK …
    A> 4 APPEND INBOX.b {17+}\\r\\nSubject: x\\r\\n\\r\\nx\\r\\n
    A< 4 OK …
    A> 5 SCAN "" * "sushi"
    A< * LIST (\\HasNoChildren) "." INBOX.a
    A< 5 OK Completed
    A> 6 SCAN "" INBOX.% "subject"
    A< * LIST (\\HasNoChildren) "." INBOX.a
    A< * LIST (\\HasNoChildren) "." INBOX.b
    A< 6 OK Completed
    A> 7 SCAN "" * "pizza"
    A< 7 OK Completed
    A> 8 SCAN "" *
    A< 8 BAD Missing required argument to Scan at column …
    A> 9 STATUS INBOX.a (RECENT)
    A< * STATUS INBOX.a (RECENT 1)
    A< 9 OK Completed
  `)
})

t.test('others and shared mailboxes can be hidden', async (t) => {
  const { server, conversation } = await fixture(t, 'disable_user_namespace: yes\ndisable_shared_namespace: yes')
  await createMailbox(server.store, 'shared')
  await conversation.play(`${LOGIN}
    B> 1 LOGIN bob testpw
    B< 1 OK …
    B> 2 SETACL INBOX alice lr
    B< 2 OK Completed
    A> 1 LIST "" *
    A< * LIST (\\HasNoChildren) "." INBOX
    A< 1 OK Completed
    A> 2 LIST "" user.%
    A< 2 OK Completed
    A> 3 STATUS user.bob (MESSAGES)
    A< * STATUS user.bob (MESSAGES 0)
    A< 3 OK Completed
  `)
})

t.test('ignorereference', async (t) => {
  const { conversation } = await fixture(t, 'ignorereference: yes')
  await conversation.play(`${LOGIN}
    A> 1 LIST nonsense INBOX
    A< * LIST (\\HasNoChildren) "." INBOX
    A< 1 OK Completed
    A> 2 SUBSCRIBE INBOX
    A< 2 OK Completed
    A> 3 LSUB nonsense *
    A< * LSUB () "." INBOX
    A< 3 OK Completed`)
})
