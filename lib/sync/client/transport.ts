/**
 * How the two transports of the replication protocol greet and spell things: csync, with capabilities in the greeting and commands without
 * tags, and IMAP, where the commands are SYNCAPPLY, SYNCGET, SYNCRESTART with tags (csync.md §1, §15).
 */
import { type Release, releaseInGreeting } from '../v23/release.js'
import { PeerGoneError } from './peer_errors.js'
import type { PeerWire } from './peer_wire.js'

/** What a replica offers. */
export interface Offer {
  /** SASL mechanisms */
  sasl: string[]
  starttls: boolean
  deflate: boolean
  /** SIEVE-MAILBOX */
  sieve: boolean
  /** AUTHENTICATE may carry the first answer */
  initialResponse: boolean
  /** the release, of a replica of the 2.3 generation */
  release?: Release
  /** that replication commands are taken; known only after login inside IMAP */
  replication: boolean
}

/** What was greeted with: which transport it is, and the offer if the greeting told it. */
export interface Greeting {
  readonly transport: Transport
  readonly offer: Offer | undefined
}

/** One transport's spelling. */
export interface Transport {
  readonly name: 'csync' | 'imap'
  /** the tag of command number n of the connection, '' for none */
  tag(n: number): string
  /** the word for APPLY, GET or RESTART */
  verb(name: 'APPLY' | 'GET' | 'RESTART'): string
  readonly fixed: Record<'noop' | 'exit' | 'starttls' | 'authenticate', readonly [tag: string, command: string]>
  /** what the server offers now, asked after TLS, or when neither greeting nor login told it */
  offer(wire: PeerWire): Promise<Offer>
}

/** The csync port's own. */
export const CSYNC: Transport = {
  name: 'csync',
  tag: () => '',
  verb: (name) => name,
  fixed: {
    noop: ['', 'NOOP'],
    exit: ['', 'EXIT'],
    starttls: ['', 'STARTTLS'],
    authenticate: ['', 'AUTHENTICATE'],
  },
  async offer(wire) {
    const greeting = await readGreeting(wire)
    if (greeting.offer === undefined || greeting.transport !== CSYNC)
      throw new PeerGoneError('not a replication server any more')
    return greeting.offer
  },
}

/** Inside IMAP. */
export const IMAP: Transport = {
  name: 'imap',
  tag: (n) => `S${n}`,
  verb: (name) => `SYNC${name}`,
  fixed: {
    noop: ['N01', 'NOOP'],
    exit: ['Q01', 'LOGOUT'],
    starttls: ['S01', 'STARTTLS'],
    authenticate: ['A01', 'AUTHENTICATE'],
  },
  offer: (wire) =>
    wire.guarded(async () => {
      await wire.send('C01 CAPABILITY\r\n')
      await wire.flush()
      let words: string[] = []
      for (;;) {
        const line = await wire.line()
        if (/^\* CAPABILITY /i.test(line)) words = line.split(' ').slice(2)
        else if (!line.startsWith('* ')) {
          wire.final('C01', 'CAPABILITY', line)
          return offerOf(words)
        }
      }
    }),
}

/** The offer in the text of a greeting, or of the answer to AUTHENTICATE; undefined if it has no CAPABILITY code (RFC 3501 §7.1). */
export function codedOffer(text: string): Offer | undefined {
  const words = /^\[CAPABILITY ([^\]]*)\]/i.exec(text)?.[1]
  return words === undefined ? undefined : offerOf(words.split(' '))
}

function offerOf(words: readonly string[]): Offer {
  const upper = words.map((word) => word.toUpperCase())
  return {
    sasl: upper.filter((word) => word.startsWith('AUTH=')).map((word) => word.slice(5)),
    starttls: upper.includes('STARTTLS'),
    // the real one's imapd does not get on with compression and replication together (seen up to 3.12)
    deflate: false,
    sieve: upper.includes('X-SIEVE-MAILBOX'),
    initialResponse: upper.includes('SASL-IR'),
    replication: upper.includes('X-REPLICATION'),
  }
}

/** Reads the greeting. @throws {PeerGoneError} if it is none of a replication server */
export function readGreeting(wire: PeerWire): Promise<Greeting> {
  return wire.guarded(async () => {
    const offer: Offer = {
      sasl: [],
      starttls: false,
      deflate: false,
      sieve: false,
      initialResponse: true,
      replication: true,
    }
    for (let first = true; ; first = false) {
      const line = await wire.line()
      const [star, name = '', ...words] = line.split(' ')
      if (star !== '*') throw new PeerGoneError(`not a replication server: ${line.slice(0, 80)}`)
      switch (name.toUpperCase()) {
        case 'OK': {
          const text = words.join(' ')
          // csync's own has no code, and capabilities before it
          if (/^\[CAPABILITY /i.test(text) || (first && /\bIMAP\b/.test(text)))
            return { transport: IMAP, offer: codedOffer(text) }
          const release = releaseInGreeting(line)
          return { transport: CSYNC, offer: release === undefined ? offer : { ...offer, release } }
        }
        case 'BYE':
          throw new PeerGoneError(`the replica says ${line.slice(2)}`)
        case 'SASL':
          offer.sasl = words
          break
        case 'STARTTLS':
          offer.starttls = true
          break
        case 'COMPRESS':
          offer.deflate = words.some((word) => word.toUpperCase() === 'DEFLATE')
          break
        case 'SIEVE-MAILBOX':
          offer.sieve = true
      }
    }
  })
}
