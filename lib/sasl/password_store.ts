/**
 * Our password file (`sasl_sasldb_path`): what a server keeps of each user's password.
 * A text file of one JSON object a line, `{"user":"alice@example.org","sha256":{salt,iterations,stored,server},"sha1":{…}}`, led by a
 * comment. It holds salted SCRAM keys, from which PLAIN, LOGIN and SCRAM can be served and no password can be read back; where CRAM-MD5 or
 * DIGEST-MD5 were asked for also `md5`, their keys, which are as good as the password (md5_keys.ts).
 * Changed by writing a new file beside it, fsync, rename, under an fcntl lock on `PATH.lock`: readers see the old or the new one whole.
 */
import { randomBytes } from 'node:crypto'
import { constants, statSync } from 'node:fs'
import { type FileHandle, open, readFile, rename, stat, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { lock } from '../os/file_lock.js'
import { type Md5Keys, makeMd5Keys } from './md5_keys.js'
import { HASH_LENGTH, makeKeys, passwordMatches, type ScramHash, type ScramKeys } from './scram.js'

/** The file cannot be used; the message names it, the place, and what to do. */
export class PasswordStoreError extends Error {
  override name = 'PasswordStoreError'
}

/** One user's secrets. */
export interface PasswordEntry {
  /** `NAME@REALM` */
  readonly user: string
  readonly sha256?: ScramKeys
  readonly sha1?: ScramKeys
  /** only where CRAM-MD5 or DIGEST-MD5 were asked for */
  readonly md5?: Md5Keys
}

/** Which keys to make beside those of SCRAM. */
export interface KeyOptions {
  /** for CRAM-MD5 and DIGEST-MD5 */
  readonly md5?: boolean
}

const HEADER = '# cyrus-ts password file; change it with saslpasswd2\n'
/** PBKDF2 rounds of new entries: about 5 ms of one core, and above the 4096 that RFC 7677 §4 asks for at least. */
const ITERATIONS = 10_000
const MOST_ITERATIONS = 10_000_000
/** Largest file read: a few hundred thousand users. */
const LARGEST = 256 * 1024 * 1024

/** Magic numbers of Berkeley DB at offset 12 (hash, btree, queue, in either byte order) and of gdbm and LMDB at 0 and 16. */
function foreignFormat(file: Buffer): string | undefined {
  const at = (offset: number): number[] =>
    file.length >= offset + 4 ? [file.readUInt32LE(offset), file.readUInt32BE(offset)] : []
  if (at(12).some((magic) => magic === 0x061561 || magic === 0x053162 || magic === 0x042253)) return 'Berkeley DB'
  if (at(0).some((magic) => magic >= 0x13579acd && magic <= 0x13579ad0)) return 'gdbm'
  if (at(16).some((magic) => magic === 0xbeefc0de)) return 'LMDB'
  return undefined
}

function keysFromJson(value: unknown, hash: ScramHash): ScramKeys | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { salt, iterations, stored, server } = value as Record<string, unknown>
  if (typeof salt !== 'string' || typeof stored !== 'string' || typeof server !== 'string') return undefined
  if (!Number.isInteger(iterations) || (iterations as number) < 1 || (iterations as number) > MOST_ITERATIONS)
    return undefined
  const keys = {
    salt: Buffer.from(salt, 'base64'),
    iterations: iterations as number,
    storedKey: Buffer.from(stored, 'base64'),
    serverKey: Buffer.from(server, 'base64'),
  }
  const length = HASH_LENGTH[hash]
  return keys.salt.length > 0 && keys.storedKey.length === length && keys.serverKey.length === length ? keys : undefined
}

function md5FromJson(value: unknown): Md5Keys | undefined {
  const { cram, digest } = (value ?? {}) as Record<string, unknown>
  if (typeof cram !== 'string' || typeof digest !== 'string') return undefined
  const keys = { cram: Buffer.from(cram, 'base64'), digest: Buffer.from(digest, 'base64') }
  return keys.cram.length === 32 && keys.digest.length === 16 ? keys : undefined
}

function keysToJson({ salt, iterations, storedKey, serverKey }: ScramKeys): Record<string, unknown> {
  return {
    salt: salt.toString('base64'),
    iterations,
    stored: storedKey.toString('base64'),
    server: serverKey.toString('base64'),
  }
}

/**
 * Reads the file's text.
 * @returns entries by user@realm
 * @throws {PasswordStoreError} naming file and line; a line that cannot be read spoils the file, lest a damaged one lock users out silently
 */
export function parsePasswordFile(path: string, file: Buffer): Map<string, PasswordEntry> {
  const format = foreignFormat(file)
  if (format !== undefined) {
    throw new PasswordStoreError(
      `${path}: this is a ${format} file of Cyrus SASL, which cannot be read here; set sasl_sasldb_path to another file and make its users with saslpasswd2, or use saslauthd (sasl_pwcheck_method: saslauthd)`,
    )
  }
  const entries = new Map<string, PasswordEntry>()
  const lines = file.toString('utf8').split('\n')
  for (const [index, line] of lines.entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue
    let value: Record<string, unknown>
    try {
      value = JSON.parse(line) as Record<string, unknown>
    } catch {
      throw new PasswordStoreError(
        `${path}:${index + 1}: not a line of a password file; restore the file or remove the line`,
      )
    }
    const sha256 = keysFromJson(value?.sha256, 'sha256')
    const sha1 = keysFromJson(value?.sha1, 'sha1')
    if (typeof value?.user !== 'string' || (sha256 === undefined && sha1 === undefined)) {
      throw new PasswordStoreError(`${path}:${index + 1}: a password entry needs "user" and "sha256" or "sha1" keys`)
    }
    entries.set(value.user, { user: value.user, sha256, sha1, md5: md5FromJson(value.md5) })
  }
  return entries
}

/** The file's text for these entries. */
export function formatPasswordFile(entries: Iterable<PasswordEntry>): string {
  let text = HEADER
  for (const { user, sha256, sha1, md5 } of entries) {
    text += `${JSON.stringify({
      user,
      ...(sha256 && { sha256: keysToJson(sha256) }),
      ...(sha1 && { sha1: keysToJson(sha1) }),
      ...(md5 && { md5: { cram: md5.cram.toString('base64'), digest: md5.digest.toString('base64') } }),
    })}\n`
  }
  return text
}

/** One password file. Keep one object a process: it remembers what it read until the file changes. */
export class PasswordStore {
  #entries = new Map<string, PasswordEntry>()
  #version = ''
  #reading: Promise<Map<string, PasswordEntry>> | undefined

  constructor(readonly path: string) {}

  /**
   * @param user `NAME@REALM`
   * @returns that user's secrets; undefined if there are none, or no file
   * @throws {PasswordStoreError}
   */
  async find(user: string): Promise<PasswordEntry | undefined> {
    return (await this.#current()).get(user)
  }

  /** Every user@realm, in the file's order. */
  async users(): Promise<string[]> {
    return [...(await this.#current()).keys()]
  }

  /**
   * Whether the password is that user's. Takes as long for an unknown user as for a wrong password.
   * @param password prepared with SASLprep
   */
  async verify(user: string, password: string): Promise<boolean> {
    const entry = await this.find(user)
    if (entry?.sha256) return passwordMatches('sha256', password, entry.sha256)
    if (entry?.sha1) return passwordMatches('sha1', password, entry.sha1)
    await makeKeys('sha256', password, randomBytes(16), ITERATIONS)
    return false
  }

  /** Sets a password, of a new user or a known one; durable when this resolves. Keys for MD5 mechanisms that were there are made anew. */
  async set(user: string, password: string, { md5 = false }: KeyOptions = {}): Promise<void> {
    const [sha256, sha1] = await Promise.all([
      makeKeys('sha256', password, randomBytes(16), ITERATIONS),
      makeKeys('sha1', password, randomBytes(16), ITERATIONS),
    ])
    await this.#change((entries) => {
      const withMd5 = md5 || entries.get(user)?.md5 !== undefined
      entries.set(user, { user, sha256, sha1, ...(withMd5 && { md5: makeMd5Keys(user, password) }) })
      return true
    })
  }

  /** Sets what is kept of a password that is not known here, as another server kept it. Durable when this resolves. */
  async import(entry: PasswordEntry): Promise<void> {
    await this.#change((entries) => {
      entries.set(entry.user, entry)
      return true
    })
  }

  /**
   * Adds what is missing of a user's keys, from a password that was verified: of entries that came from elsewhere, or are weaker than new ones.
   * A user who is not in the file is added.
   */
  async complete(user: string, password: string, { md5 = false }: KeyOptions = {}): Promise<void> {
    const before = await this.find(user)
    const lacks = (keys: ScramKeys | undefined) => keys === undefined || keys.iterations < ITERATIONS
    if (before !== undefined && !lacks(before.sha256) && !lacks(before.sha1) && (!md5 || before.md5)) return
    await this.set(user, password, { md5 })
  }

  /** Removes a user; durable when this resolves. @returns false if there was none */
  remove(user: string): Promise<boolean> {
    return this.#change((entries) => entries.delete(user))
  }

  async #current(): Promise<Map<string, PasswordEntry>> {
    let version: string
    try {
      // at once: a thread's answer takes twenty times as long, and every login waits for it
      const { ino, size, mtimeNs } = statSync(this.path, { bigint: true })
      if (size > LARGEST)
        throw new PasswordStoreError(`${this.path}: larger than ${LARGEST} bytes, so no password file`)
      version = `${ino} ${size} ${mtimeNs}`
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw this.#wrap(error)
      return new Map()
    }
    if (version === this.#version) return this.#entries
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    const entries = await this.#reading
    this.#entries = entries
    this.#version = version
    return entries
  }

  async #read(): Promise<Map<string, PasswordEntry>> {
    try {
      return parsePasswordFile(this.path, await readFile(this.path))
    } catch (error) {
      throw this.#wrap(error)
    }
  }

  /** Reads, changes and replaces the file under the lock; `edit` returning false leaves it as it is. */
  async #change(edit: (entries: Map<string, PasswordEntry>) => boolean): Promise<boolean> {
    try {
      // root works in a folder of the servers' user: it must not be led elsewhere by a symbolic link
      const lockFile = await open(
        `${this.path}.lock`,
        constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW,
        0o600,
      )
      try {
        await this.#inheritOwner(lockFile, dirname(this.path))
        await lock(lockFile.fd)
        const old = await stat(this.path).catch(() => undefined)
        const entries = old === undefined ? new Map<string, PasswordEntry>() : await this.#read()
        if (!edit(entries)) return false
        const temporary = `${this.path}.${process.pid}.new`
        await unlink(temporary).catch(() => {}) // left by a crash
        try {
          const file = await open(temporary, 'wx', 0o600)
          try {
            await file.writeFile(formatPasswordFile(entries.values()))
            await this.#inheritOwner(file, old === undefined ? dirname(this.path) : this.path)
            if (old !== undefined) await file.chmod(old.mode & 0o660)
            await file.sync()
          } finally {
            await file.close()
          }
          await rename(temporary, this.path)
        } catch (error) {
          await unlink(temporary).catch(() => {})
          throw error
        }
        const directory = await open(dirname(this.path), 'r')
        await directory.sync().finally(() => directory.close())
        return true
      } finally {
        await lockFile.close()
      }
    } catch (error) {
      throw this.#wrap(error)
    }
  }

  /** Root makes files for the servers' user: a new file belongs to whoever owns its folder or its predecessor. */
  async #inheritOwner(file: FileHandle, from: string): Promise<void> {
    if (process.getuid?.() !== 0) return
    const { uid, gid } = await stat(from)
    await file.chown(uid, gid)
  }

  #wrap(error: unknown): PasswordStoreError {
    if (error instanceof PasswordStoreError) return error
    const { code, message } = error as NodeJS.ErrnoException
    return new PasswordStoreError(`${this.path}: cannot use the password file: ${code ?? message}`)
  }
}
