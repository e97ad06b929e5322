/** A sync_client's login at a replica: the mechanism to use, TLS if only that gives one, and the exchange, on either transport. */
import net from 'node:net'
import { startClientMechanism } from '../../sasl/client_mechanism.js'
import { PeerGoneError } from './peer_errors.js'
import type { PeerWire } from './peer_wire.js'
import type { Target } from './target.js'
import { codedOffer, type Offer, type Transport } from './transport.js'

/**
 * Logs in, if that is asked for.
 * @param offer what the greeting told
 * @returns what the replica offers afterwards
 * @throws {PeerGoneError} saying why it cannot be
 */
export async function login(wire: PeerWire, transport: Transport, offer: Offer, target: Target): Promise<Offer> {
  if (target.noauth) return offer
  if (target.user === undefined || target.password === undefined) {
    if (offer.sasl.length === 0 && !offer.starttls) return offer
    throw new PeerGoneError('sync_authname and sync_password are not set')
  }
  const credentials = {
    user: target.user,
    password: target.password,
    realm: target.realm,
    service: transport.name,
    host: target.host,
  }
  let offered = offer
  let mechanism = startClientMechanism(offered.sasl, credentials, target.mechanisms)
  if (mechanism === undefined && offered.starttls) {
    offered = await startTls(wire, transport, target)
    mechanism = startClientMechanism(offered.sasl, credentials, target.mechanisms)
  }
  if (mechanism === undefined)
    throw new PeerGoneError(
      `no mechanism in common with the replica, which offers: ${offered.sasl.join(' ') || 'none'}`,
    )
  const { name } = mechanism
  const [tag, command] = transport.fixed.authenticate
  return wire.guarded(async () => {
    const inline = mechanism.initial !== undefined && offered.initialResponse
    const first = inline ? ` ${mechanism.initial!.toString('base64') || '='}` : ''
    let unsaid = inline ? undefined : mechanism.initial
    await wire.send(`${tag}${tag === '' ? '' : ' '}${command} ${name}${first}\r\n`)
    for (;;) {
      await wire.flush()
      const line = await wire.line()
      if (tag !== '' && line.startsWith('* ')) continue
      if (!line.startsWith('+')) {
        const said = tag === '' || !line.startsWith(`${tag} `) ? line : line.slice(tag.length + 1)
        const refusal = /^(?:NO|BAD) ?(.*)$/i.exec(said)
        if (refusal !== null) throw new PeerGoneError(`login as ${target.user} with ${name} refused: ${refusal[1]}`)
        const text = wire.final(tag, command, line)
        if (!mechanism.complete)
          throw new PeerGoneError(`${name}: the replica has not proved that it knows the password`)
        return transport.name === 'imap' ? (codedOffer(text) ?? (await transport.offer(wire))) : offered
      }
      const answer = unsaid ?? (await mechanism.step(Buffer.from(line.slice(1).trim(), 'base64')))
      unsaid = undefined
      await wire.send(`${answer.toString('base64')}\r\n`)
    }
  })
}

/** @returns what is offered over TLS */
async function startTls(wire: PeerWire, transport: Transport, target: Target): Promise<Offer> {
  await wire.plain(...transport.fixed.starttls)
  wire.clear()
  try {
    // as Cyrus: an unknown certificate does not stop it, for there is no list of whom to trust
    const servername = net.isIP(target.host) ? undefined : target.host
    await wire.connection.startTls({ servername, rejectUnauthorized: false }, 'client')
  } catch (error) {
    throw new PeerGoneError(`TLS with the replica failed: ${(error as Error).message}`)
  }
  return transport.offer(wire)
}
