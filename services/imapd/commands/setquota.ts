/** SETQUOTA (RFC 2087 §4.1), for administrators. Resources that are not named become unlimited. */
import { setQuota } from '../../../lib/mailbox/quota.js'
import { QUOTA_RESOURCES, type QuotaResource, type QuotaRoot } from '../../../lib/store/store.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, NO_MAILBOX, No } from '../errors.js'

export const setquota = define<{ root: string; limits: [string, number][] }>({
  name: 'SETQUOTA',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const root = args.mailbox()
    args.space()
    if (args.peek() !== '(') args.fail('Invalid quota list in Setquota')
    const limits = args.list((): [string, number] => {
      const resource = args.keyword()
      args.space()
      return [resource, args.number('Invalid quota list in Setquota')]
    })
    args.end()
    return { root, limits }
  },
  async run({ session }, { root: external, limits: named }) {
    if (!session.isAdmin) throw new No(`[NOPERM] ${DENIED}`)
    const { store } = session.imapd
    const root = session.namespace!.toInternal(external)
    const limits: QuotaRoot['limits'] = {}
    for (const [name, limit] of named) {
      if (!QUOTA_RESOURCES.includes(name as QuotaResource)) throw new No('Unsupported quota resource')
      limits[name as QuotaResource] = limit
    }
    if (!store.mailbox(root)) throw new No(`[NONEXISTENT] ${NO_MAILBOX}`)
    await setQuota(store, root, limits)
    return undefined
  },
})
