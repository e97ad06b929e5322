/** SCRAM-SHA-1 and SCRAM-SHA-256, the client's side (RFC 5802 §5, RFC 7677), without channel binding; checks the server's signature. */
import { randomBytes, timingSafeEqual } from 'node:crypto'
import { type ClientCredentials, type ClientMechanism, ClientMechanismError } from './client_exchange.js'
import { saslprep } from './saslprep.js'
import { attributes, encodeName, hmac, keysOf, type ScramHash, saltPassword, xor } from './scram.js'

const MOST_ITERATIONS = 1_000_000
const GS2_HEADER = 'n,,'

/** @param clientNonce given only by tests */
export function startScramClient(
  { user, password }: ClientCredentials,
  hash: ScramHash,
  clientNonce = randomBytes(24).toString('base64'),
): ClientMechanism {
  const name = hash === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-1'
  const bare = `n=${encodeName(saslprep(user) ?? user)},r=${clientNonce}`
  let expected: Buffer | undefined
  let complete = false
  const bad = (what: string): never => {
    throw new ClientMechanismError(`${name}: ${what}`)
  }

  const proof = async (serverFirst: string): Promise<Buffer> => {
    const values = new Map(attributes(serverFirst) ?? [])
    const nonce = values.get('r') ?? ''
    const iterations = Number(values.get('i'))
    const salt = Buffer.from(values.get('s') ?? '', 'base64')
    if (!nonce.startsWith(clientNonce) || nonce.length === clientNonce.length) bad('the server changed the nonce')
    if (salt.length === 0) bad('no salt from the server')
    if (!Number.isInteger(iterations) || iterations < 1 || iterations > MOST_ITERATIONS) {
      bad(`iteration count ${values.get('i')} is not 1 to ${MOST_ITERATIONS}`)
    }
    const salted = await saltPassword(hash, saslprep(password) ?? password, salt, iterations)
    const { clientKey, storedKey, serverKey } = keysOf(hash, salted)
    const withoutProof = `c=${Buffer.from(GS2_HEADER).toString('base64')},r=${nonce}`
    const authMessage = `${bare},${serverFirst},${withoutProof}`
    expected = hmac(hash, serverKey, authMessage)
    return Buffer.from(`${withoutProof},p=${xor(clientKey, hmac(hash, storedKey, authMessage)).toString('base64')}`)
  }

  return {
    name,
    initial: Buffer.from(GS2_HEADER + bare),
    get complete() {
      return complete
    },
    async step(challenge) {
      const text = challenge.toString('utf8')
      if (expected === undefined) return proof(text)
      const signature = Buffer.from(/^v=([^,]*)/.exec(text)?.[1] ?? '', 'base64')
      if (complete || signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
        bad('the server does not know the password')
      }
      complete = true
      return Buffer.alloc(0)
    },
  }
}
