/** CRAM-MD5 (RFC 2195) and DIGEST-MD5 with qop=auth (RFC 2831), the client's side only: what an older Cyrus may insist on. */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { type ClientCredentials, type ClientMechanism, ClientMechanismError } from './client_exchange.js'
import { makeMd5Keys } from './md5_keys.js'

/** CRAM-MD5: user name and the keyed MD5 of the challenge. */
export function startCramMd5({ user, password }: ClientCredentials): ClientMechanism {
  return {
    name: 'CRAM-MD5',
    initial: undefined,
    complete: true,
    async step(challenge) {
      return Buffer.from(`${user} ${createHmac('md5', password).update(challenge).digest('hex')}`)
    },
  }
}

/** @returns `name=value` pairs of a challenge, values unquoted; names may repeat (realm) */
export function parseDigestChallenge(text: string): Array<readonly [name: string, value: string]> {
  const pairs: Array<readonly [string, string]> = []
  const pattern = /\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^,\s]*))\s*(?:,|$)/gsy
  for (let match = pattern.exec(text); match !== null && match[0] !== ''; match = pattern.exec(text)) {
    pairs.push([match[1]!.toLowerCase(), match[2]?.replace(/\\(.)/gs, '$1') ?? match[3]!])
    if (pattern.lastIndex >= text.length) break
  }
  return pairs
}

const md5 = (...parts: Array<string | Buffer>): Buffer => {
  const hash = createHash('md5')
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

/** DIGEST-MD5; never asks for a security layer. @param cnonce given only by tests */
export function startDigestMd5(
  { user, password, realm: wantedRealm, service, host }: ClientCredentials,
  cnonce = randomBytes(24).toString('base64'),
): ClientMechanism {
  let rspauth: string | undefined
  let complete = false
  const bad = (what: string): never => {
    throw new ClientMechanismError(`DIGEST-MD5: ${what}`)
  }

  const respond = (challenge: string): Buffer => {
    const pairs = parseDigestChallenge(challenge)
    const value = (name: string): string | undefined => pairs.find(([key]) => key === name)?.[1]
    const nonce = value('nonce') ?? bad('no nonce from the server')
    if (value('algorithm')?.toLowerCase() !== 'md5-sess') bad('the server does not offer md5-sess')
    if (!(value('qop') ?? 'auth').split(/[\s,]+/).includes('auth')) bad('the server insists on a security layer')
    const realms = pairs.filter(([key]) => key === 'realm').map(([, name]) => name)
    const realm = wantedRealm ?? realms[0] ?? host
    const uri = `${service}/${host}`
    const secret = makeMd5Keys(`${user}@${realm}`, password).digest
    const a1 = md5(secret, `:${nonce}:${cnonce}`).toString('hex')
    const response = (method: string): string =>
      md5(`${a1}:${nonce}:00000001:${cnonce}:auth:${md5(`${method}:${uri}`).toString('hex')}`).toString('hex')
    rspauth = response('')
    return Buffer.from(
      [
        `username=${quoted(user)}`,
        `realm=${quoted(realm)}`,
        `nonce=${quoted(nonce)}`,
        `cnonce=${quoted(cnonce)}`,
        'nc=00000001',
        'qop=auth',
        'maxbuf=4096',
        `digest-uri=${quoted(uri)}`,
        ...(value('charset') === 'utf-8' ? ['charset=utf-8'] : []),
        `response=${response('AUTHENTICATE')}`,
      ].join(','),
    )
  }

  return {
    name: 'DIGEST-MD5',
    initial: undefined,
    get complete() {
      return complete
    },
    async step(challenge) {
      const text = challenge.toString('utf8')
      if (rspauth === undefined) return respond(text)
      if (complete || parseDigestChallenge(text).find(([key]) => key === 'rspauth')?.[1] !== rspauth) {
        bad('the server does not know the password')
      }
      complete = true
      return Buffer.alloc(0)
    },
  }
}
