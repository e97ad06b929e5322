/** Addresses with virtdomains: whose INBOX they mean. */
import t from 'tap'
import { recipientOf } from '../../services/lmtpd/recipients.js'
import { storeFixture } from '../fixture_store.js'

t.test('the domain of an address is the user’s', async (t) => {
  const { config } = await storeFixture(t, 'virtdomains: userid\ndefaultdomain: internal\nunixhierarchysep: yes')
  const of = (local: string, domain: string | undefined) => {
    const found = recipientOf(config, { local, domain, mailbox: `${local}@${domain}` }, false)
    return found && [found.userid, found.inbox, found.folder]
  }
  t.same(of('alice', 'dom.test'), ['alice@dom.test', 'dom.test!user.alice', undefined])
  t.same(of('a.b+x/y', 'DOM.test'), ['a.b@dom.test', 'dom.test!user.a^b', 'dom.test!user.a^b.x.y'])
  t.same(of('alice', 'internal'), ['alice', 'user.alice', undefined])
  t.same(of('alice', undefined), ['alice', 'user.alice', undefined])
  t.same(of('+shared/x', 'dom.test'), ['', undefined, 'dom.test!shared.x'])
  t.equal(of('alice@evil', 'dom.test'), undefined)
  t.equal(of('alice', 'dom/test'), undefined)
  const { config: off } = await storeFixture(t)
  const plain = recipientOf(off, { local: 'alice', domain: 'dom.test', mailbox: 'alice@dom.test' }, false)
  t.equal(plain!.inbox, 'user.alice')
})
