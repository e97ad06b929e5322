/** IDLE (RFC 2177): changes are told the moment they are committed, by whichever process. */
import { ANSWERED, define, LOGGED_IN } from '../command.js'
import { Bad } from '../errors.js'
import type { Session } from '../session.js'

const idling = new WeakSet<Session>()

/** Clients that take nothing now and are told the rest once they do. */
const waiting = new WeakSet<Session>()

/** Tells what has changed; ends the conversation when the mailbox is gone. A client that does not read piles up nothing. */
function tell(session: Session): void {
  const { selected, connection } = session
  if (!selected || waiting.has(session)) return
  if (connection.congested) {
    waiting.add(session)
    const goOn = () => {
      waiting.delete(session)
      // IDLE may be over by now; then the next command tells
      if (idling.has(session)) tell(session)
    }
    connection.flush().then(goOn, () => waiting.delete(session))
    return
  }
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
    idling.add(session)
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
      idling.delete(session)
      connection.idleTimeout = imapd.idleSeconds
    }
  },
})
