/** IDLE (RFC 2177): changes are told the moment they are committed, by whichever process. */
import { ANSWERED, define, LOGGED_IN } from '../command.js'
import { Bad } from '../errors.js'
import type { Session } from '../session.js'

/** Tells what has changed; ends the conversation when the mailbox is gone. */
function tell(session: Session): void {
  const { selected } = session
  if (!selected) return
  selected.sync(session.reply, { expunges: true })
  if (selected.gone) session.goodbye('Selected mailbox is gone')
}

export const idle = define({
  name: 'IDLE',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: (args) => args.end(),
  async run({ session }) {
    const { connection, selected, imapd, service } = session
    const unwatch = selected ? imapd.store.watch(selected.id, () => tell(session)) : undefined
    const stop = () => session.goodbye('Server shutting down')
    service.stopping.addEventListener('abort', stop)
    connection.idleTimeout = imapd.idleCommandSeconds
    try {
      await session.reply.continuation('idling')
      tell(session)
      if (service.stopping.aborted) stop()
      const line = await connection.readLine()
      if (line === null || session.finished) {
        session.finished = true
        return ANSWERED
      }
      if (!/^done$/i.test(line.toString('latin1'))) throw new Bad('Expected DONE to end IDLE')
      return undefined
    } finally {
      service.stopping.removeEventListener('abort', stop)
      unwatch?.()
      connection.idleTimeout = imapd.idleSeconds
    }
  },
})
