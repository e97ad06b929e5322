/** IDLE (RFC 2177): changes are told the moment they are committed, by whichever process. With NOTIFY it tells what that asks for. */
import { ANSWERED, define, LOGGED_IN } from '../command.js'
import { Bad } from '../errors.js'

export const idle = define({
  name: 'IDLE',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse: (args) => args.end(),
  async run({ session }) {
    const { connection, selected, imapd, service } = session
    const unwatch = selected ? imapd.store.watch(selected.id, () => session.wake()) : undefined
    const stop = () => session.goodbye('Server shutting down')
    service.stopping.addEventListener('abort', stop)
    connection.idleTimeout = imapd.idleCommandSeconds
    try {
      await session.reply.continuation('idling')
      if (service.stopping.aborted) stop()
      const line = await session.whileIdling(() => connection.readLine())
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
