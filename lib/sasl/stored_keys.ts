/**
 * SCRAM keys as other servers write them: `SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER` (RFC 5803), and the same with commas behind a scheme
 * in braces, as Dovecot does. With them users move here with the passwords they have. Pure.
 */
import { HASH_LENGTH, type ScramHash, type ScramKeys } from './scram.js'

const FORMS = [
  /^SCRAM-SHA-(1|256)\$(\d{1,8}):([^$:]+)\$([^$:]+):([^$:]+)$/i,
  /^\{SCRAM-SHA-(1|256)\}(\d{1,8}),([^,]+),([^,]+),([^,]+)$/i,
]

/** @returns undefined if the text is neither */
export function parseStoredKeys(text: string): { sha256: ScramKeys } | { sha1: ScramKeys } | undefined {
  const match = FORMS.map((form) => form.exec(text)).find((found) => found !== null)
  if (match === undefined) return undefined
  const hash: ScramHash = match[1] === '1' ? 'sha1' : 'sha256'
  const [salt, storedKey, serverKey] = match.slice(3).map((part) => Buffer.from(part, 'base64')) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  const iterations = Number(match[2])
  const right =
    iterations > 0 && salt.length > 0 && [storedKey, serverKey].every((key) => key.length === HASH_LENGTH[hash])
  if (!right) return undefined
  const keys = { salt, iterations, storedKey, serverKey }
  return hash === 'sha1' ? { sha1: keys } : { sha256: keys }
}
