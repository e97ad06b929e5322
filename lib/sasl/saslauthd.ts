/**
 * saslauthd's question and answer (Cyrus SASL): over a UNIX stream socket, four counted strings – user, password, service, realm –
 * each led by its length in 16 bits, big end first; the answer is one such string that starts `OK` or `NO`. One question a connection.
 */
import { connect } from 'node:net'

/** saslauthd could not be asked, or answered with something else. */
export class SaslauthdError extends Error {
  override name = 'SaslauthdError'
}

/** Longest wait for an answer, in milliseconds: PAM modules may pause after a failure. */
const PATIENCE = 30_000
const LONGEST_ANSWER = 1024

/** One counted string. @throws {RangeError} above 65535 bytes */
function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8')
  const out = Buffer.allocUnsafe(2 + bytes.length)
  out.writeUInt16BE(bytes.length, 0)
  bytes.copy(out, 2)
  return out
}

/**
 * Asks whether a password is right.
 * @param path the socket
 * @param service the service's name, as PAM shall see it (`imap`, `csync`)
 * @param realm may be empty
 * @throws {SaslauthdError} naming the socket
 */
export function askSaslauthd(
  path: string,
  user: string,
  password: string,
  service: string,
  realm: string,
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path })
    let answer = Buffer.alloc(0)
    const fail = (why: string): void => {
      socket.destroy()
      reject(new SaslauthdError(`saslauthd at ${path}: ${why}`))
    }
    socket.setTimeout(PATIENCE, () => fail('no answer'))
    socket.on('error', (error: NodeJS.ErrnoException) =>
      fail(error.code === 'ENOENT' || error.code === 'ECONNREFUSED' ? 'not running' : (error.code ?? error.message)),
    )
    socket.on('connect', () => socket.write(Buffer.concat([user, password, service, realm].map(counted))))
    socket.on('end', () => fail('closed without an answer'))
    socket.on('data', (chunk: Buffer) => {
      answer = Buffer.concat([answer, chunk])
      if (answer.length < 2) return
      const length = answer.readUInt16BE(0)
      if (length > LONGEST_ANSWER) return fail('an answer that is none of its protocol')
      if (answer.length < 2 + length) return
      const text = answer.toString('latin1', 2, 2 + length)
      if (text.startsWith('OK')) resolve(true)
      else if (text.startsWith('NO')) resolve(false)
      else return fail('an answer that is none of its protocol')
      socket.destroy()
    })
  })
}
