/** AUTHENTICATE (RFC 3501 §6.2.2) with initial responses (RFC 4959), through lib/sasl. */
import { isEncrypted } from '../../../lib/net/channel.js'
import { allowsAnonymous, startAnonymous } from '../../../lib/sasl/server_anonymous.js'
import { startServerMechanism } from '../../../lib/sasl/server_mechanism.js'
import { admit } from '../admission.js'
import { ANSWERED, define } from '../command.js'
import { Bad, No } from '../errors.js'
import type { Session } from '../session.js'
import { loggedInText } from './login.js'

function decoded(text: string): Buffer {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4 !== 0) throw new Bad('Invalid base64 string')
  return Buffer.from(text, 'base64')
}

async function response(session: Session): Promise<Buffer> {
  const line = await session.connection.readLine()
  if (line === null) throw new Bad('Connection closed')
  const text = line.toString('latin1')
  if (text === '*') throw new Bad('Authentication cancelled by the client')
  return decoded(text)
}

export const authenticate = define<{ mechanism: string; initial: string | undefined }>({
  name: 'AUTHENTICATE',
  states: ['not authenticated'],
  parse(args) {
    args.space()
    const mechanism = args.atom()
    let initial: string | undefined
    if (args.tryChar(' ')) {
      initial = args.bytes.toString('latin1', args.offset)
      if (initial === '') args.fail('Missing required argument to Authenticate')
    } else {
      args.end()
    }
    return { mechanism, initial }
  },
  async run({ session }, { mechanism, initial }) {
    const { config } = session.imapd
    const { log } = session.service
    const { channel } = session
    const trace = (text: string): void => log.notice(`anonymous: ${session.connection.remote} ${JSON.stringify(text)}`)
    const { mayActAs } = session.imapd
    const exchange =
      /^anonymous$/i.test(mechanism) && allowsAnonymous(config, channel)
        ? startAnonymous(trace)
        : startServerMechanism({ config, service: 'imap', channel, mayActAs }, mechanism)
    if (exchange === 'encryption needed') throw new No('[PRIVACYREQUIRED] no mechanism available without TLS')
    if (exchange === 'unknown') throw new No('[CANNOT] no mechanism available')
    let step = await exchange.step(initial === undefined ? undefined : decoded(initial === '=' ? '' : initial))
    while (step.state === 'challenge') {
      await session.reply.continuation(step.challenge.toString('base64'))
      step = await exchange.step(await response(session))
    }
    if (step.state === 'failed') {
      log.notice(
        `badlogin: ${session.connection.remote} ${exchange.name} ${JSON.stringify((step.claimed ?? '').slice(0, 80))} ${step.reason}`,
      )
      throw new No('[AUTHENTICATIONFAILED] authentication failure')
    }
    if (!(await admit(session, step.user))) return ANSWERED
    const by = step.authenticated === step.user ? '' : ` by ${step.authenticated}`
    log.notice(
      `login: ${session.connection.remote} ${step.user} ${exchange.name}${isEncrypted(channel) ? '+TLS' : ''} User logged in${by} SESSIONID=<${session.service.id}>`,
    )
    return loggedInText(session, `Success (${isEncrypted(channel) ? 'tls protection' : 'no protection'})`)
  },
})
