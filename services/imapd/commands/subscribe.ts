/** SUBSCRIBE and UNSUBSCRIBE (RFC 3501 §6.3.6, §6.3.7). */
import { setSubscribed } from '../../../lib/mailbox/subscriptions.js'
import { type Command, define, LOGGED_IN } from '../command.js'
import { mustFind } from '../mailboxes.js'
import { changeKey } from '../notify/notifier.js'

function command(name: string, subscribed: boolean): Command {
  return define<string>({
    name,
    states: LOGGED_IN,
    tellsExpunged: true,
    parse(args) {
      args.space()
      const mailbox = args.mailbox()
      args.end()
      return mailbox
    },
    async run({ session }, external) {
      if (subscribed) mustFind(session, external, 'l')
      const internal = session.namespace!.toInternal(external)
      session.notifier?.causes(changeKey('subscription', internal))
      await setSubscribed(session.imapd.store, session.user!, internal, subscribed)
      return undefined
    },
  })
}

export const subscribe = command('SUBSCRIBE', true)
export const unsubscribe = command('UNSUBSCRIBE', false)
