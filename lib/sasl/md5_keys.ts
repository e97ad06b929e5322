/**
 * What a server keeps of a password for CRAM-MD5 (RFC 2195) and DIGEST-MD5 (RFC 2831): not the password, but as good as it to whoever steals
 * it, which is why these are made only when such mechanisms are asked for. For CRAM-MD5 it is MD5's state after the inner and the outer key
 * block of HMAC, for DIGEST-MD5 the hash of user, realm and password.
 */
import { createHash } from 'node:crypto'

/** A password's keys. */
export interface Md5Keys {
  /** 32 bytes: inner state, outer state, each four little-endian words */
  readonly cram: Buffer
  /** 16 bytes: MD5(user ":" realm ":" password) */
  readonly digest: Buffer
}

const BLOCK = 64
const SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21] as const
/** floor(2^32 × |sin(i + 1)|), RFC 1321 §3.4 */
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))) >>> 0)
const START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const

type State = readonly [number, number, number, number]

/** MD5's step over one block of 64 bytes (RFC 1321 §3.4). */
function compress(state: State, block: Buffer): State {
  let [a, b, c, d] = state as [number, number, number, number]
  for (let i = 0; i < 64; i++) {
    const round = i >> 4
    const [mixed, word] =
      round === 0
        ? [(b & c) | (~b & d), i]
        : round === 1
          ? [(d & b) | (~d & c), (5 * i + 1) & 15]
          : round === 2
            ? [b ^ c ^ d, (3 * i + 5) & 15]
            : [c ^ (b | ~d), (7 * i) & 15]
    const sum = (a + mixed + SINES[i]! + block.readUInt32LE(word * 4)) >>> 0
    const shift = SHIFTS[round * 4 + (i & 3)]!
    const turned = ((sum << shift) | (sum >>> (32 - shift))) >>> 0
    a = d
    d = c
    c = b
    b = (b + turned) >>> 0
  }
  return [(state[0] + a) >>> 0, (state[1] + b) >>> 0, (state[2] + c) >>> 0, (state[3] + d) >>> 0]
}

/** MD5 of what led to a state (one block) and of what follows. */
function finish(state: State, data: Buffer): Buffer {
  const padded = Buffer.alloc(Math.ceil((data.length + 9) / BLOCK) * BLOCK)
  data.copy(padded)
  padded[data.length] = 0x80
  padded.writeBigUInt64LE(BigInt(BLOCK + data.length) * 8n, padded.length - 8)
  let current = state
  for (let at = 0; at < padded.length; at += BLOCK) current = compress(current, padded.subarray(at, at + BLOCK))
  return bytesOf(current)
}

function bytesOf(state: State): Buffer {
  const out = Buffer.alloc(16)
  for (const [at, word] of state.entries()) out.writeUInt32LE(word, at * 4)
  return out
}

function stateOf(bytes: Buffer): State {
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4), bytes.readUInt32LE(8), bytes.readUInt32LE(12)]
}

/** HMAC-MD5 from the states (RFC 2104). @param states 32 bytes, as in Md5Keys.cram */
export function hmacMd5(states: Buffer, data: Buffer): Buffer {
  return finish(stateOf(states.subarray(16)), finish(stateOf(states.subarray(0, 16)), data))
}

/** @param key `name@realm`  @param password prepared with SASLprep */
export function makeMd5Keys(key: string, password: string): Md5Keys {
  const secret = Buffer.from(password, 'utf8')
  const padded = Buffer.alloc(BLOCK)
  ;(secret.length > BLOCK ? createHash('md5').update(secret).digest() : secret).copy(padded)
  const [inner, outer] = [0x36, 0x5c].map((pad) => compress(START, Buffer.from(padded.map((byte) => byte ^ pad))))
  const at = key.lastIndexOf('@')
  // RFC 2831 §2.1.2.1: ISO 8859-1 where that can hold the text
  const encoded = (text: string): Buffer => Buffer.from(text, /[^\x00-\xff]/.test(text) ? 'utf8' : 'latin1')
  const digest = createHash('md5')
    .update(encoded(key.slice(0, at)))
    .update(':')
    .update(key.slice(at + 1))
    .update(':')
    .update(encoded(password))
    .digest()
  return { cram: Buffer.concat([bytesOf(inner!), bytesOf(outer!)]), digest }
}
