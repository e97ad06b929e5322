/** STARTTLS (RFC 3501 §6.2.1). What the client sent behind it in the clear is dropped. */
import { ANSWERED, define } from '../command.js'
import { HopelessError } from '../command_reader.js'

export const starttls = define({
  name: 'STARTTLS',
  states: ['not authenticated'],
  parse: (args) => args.end(),
  async run({ session, tag }) {
    session.reply.tagged(tag, 'OK', 'Begin TLS negotiation now')
    try {
      await session.connection.startTls(session.imapd.tls!.settings, 'server')
    } catch (error) {
      session.service.log.info(`STARTTLS: ${session.connection.remote}: ${(error as Error).message}`)
      throw new HopelessError('TLS negotiation failed')
    }
    return ANSWERED
  },
})
