/**
 * Releases of the 2.3 generation and what sets them apart on the wire (csync-2.3.md §14), and how one is named: by `sync_protocol`, by a
 * greeting, by what a peer sends. Pure but for the option.
 */
import type { Config } from '../../config/config.js'

/** What a release says and understands. */
export interface Release {
  /** `2.3.8` */
  readonly name: string
  /** messages are known by their SHA-1, not by a UUID of 12 bytes; the mailbox line has UIDVALIDITY (2.3.10) */
  readonly guids: boolean
  /** mod-sequences in the lists, SETMODSEQ (2.3.11) */
  readonly modseqs: boolean
  /** SETSEEN_ALL takes the place of all that is known of a user, newer or not; every option of a mailbox may be set (2.3.14) */
  readonly wholesale: boolean
  /** COMPRESS DEFLATE (2.3.16) */
  readonly compress: boolean
  /** bits of a mailbox's options that it knows */
  readonly optionBits: number
}

const LAST = 20

/** @param patch the third number, 0 to 20; those before 2.3.8 say what that one says */
export function releaseOf(patch: number): Release {
  return {
    name: `2.3.${patch}`,
    guids: patch >= 10,
    modseqs: patch >= 11,
    wholesale: patch >= 14,
    compress: patch >= 16,
    // shared \Seen and duplicate delivery
    optionBits: patch >= 12 ? 15 : 3,
  }
}

/** What is spoken with a peer that has not shown to be newer. */
export const FOUNDING_RELEASE = releaseOf(8)

/** The release that a greeting names (`… Cyrus sync server v2.3.8-something`); undefined if it is none of this generation. */
export function releaseInGreeting(greeting: string): Release | undefined {
  const patch = / Cyrus sync server v2\.3\.(\d{1,2})(?!\d)/.exec(greeting)?.[1]
  return patch === undefined ? undefined : releaseOf(Number(patch))
}

/** Which generation is spoken: found out, the one of 2.4 and later, or a release of 2.3. */
export type Protocol = 'auto' | '3' | Release

/**
 * The value of `sync_protocol`.
 * @param text undefined: `auto`
 * @throws {ConfigError}
 */
export function protocolOf(config: Config, text: string | undefined): Protocol {
  if (text === undefined || text === 'auto' || text === '3') return text ?? 'auto'
  const match = /^2\.3(?:\.(\d{1,2}))?$/.exec(text)
  const patch = match === null ? -1 : Number(match[1] ?? 8)
  if (patch < 0 || patch > LAST)
    throw config.error('sync_protocol', `sync_protocol must be auto, 3, 2.3 or 2.3.N, not "${text}"`)
  return releaseOf(patch)
}
