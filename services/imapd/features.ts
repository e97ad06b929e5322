/** What a client has switched on (ENABLE, RFC 5161, or a command that implies it), and how that changes what it is told. */
import type { FetchRequest } from '../../lib/imap/fetch_items.js'
import type { SearchProgram } from '../../lib/imap/search_keys.js'
import { Bad } from './errors.js'
import type { Session } from './session.js'

/** What is told of the selected mailbox, whichever that is (RFC 5465 §6.1). */
export interface SelectedEvents {
  /** the client has used NOTIFY: it listens all the time, and wants the UID with everything */
  readonly live: boolean
  /** new messages, and those that are expunged */
  readonly messages: boolean
  /** expunged ones only when a command allows that */
  readonly delayed: boolean
  readonly flags: boolean
  readonly annotations: boolean
  /** what is told of each new message */
  readonly attributes: FetchRequest | undefined
}

/** As long as there was no NOTIFY (RFC 5465 §3.1). */
export const UNASKED: SelectedEvents = {
  live: false,
  messages: true,
  delayed: true,
  flags: true,
  annotations: false,
  attributes: undefined,
}

/** After NOTIFY NONE. */
export const NOTHING: SelectedEvents = { ...UNASKED, live: true, messages: false, flags: false }

/** A conversation's switches; none is ever switched off again, but what NOTIFY asks for. */
export class Features {
  /** FETCH answers of our own accord carry the mod-sequence (RFC 7162 §3.1). */
  condstore = false
  /** Expunged messages are told as VANISHED, and FETCH answers carry the UID (RFC 7162 §3.2). */
  qresync = false
  /** The client speaks IMAP4rev2 (RFC 9051): there is no \Recent, SEARCH is answered with ESEARCH, names are UTF-8. */
  imap4rev2 = false
  /** Names are UTF-8, and SEARCH names no character set (RFC 6855). */
  utf8 = false
  /** Messages have no sequence numbers (RFC 9586). */
  uidOnly = false
  /** What NOTIFY asks for of the selected mailbox. */
  events: SelectedEvents = UNASKED
}

/** From now on mailbox names are UTF-8 on the wire. */
function enableUtf8(session: Session): void {
  session.features.utf8 = true
  session.namespace!.utf8 = true
}

/** Names of ENABLE that do something, in the order in which they are confirmed. */
const ENABLES: readonly (readonly [name: string, isOn: (features: Features) => boolean, (session: Session) => void])[] =
  [
    ['CONDSTORE', ({ condstore }) => condstore, (session) => enableCondstore(session, 'ENABLE')],
    [
      'QRESYNC',
      ({ qresync }) => qresync,
      (session) => {
        enableCondstore(session, 'ENABLE')
        session.features.qresync = true
      },
    ],
    ['UTF8=ACCEPT', ({ utf8 }) => utf8, enableUtf8],
    [
      'IMAP4REV2',
      ({ imap4rev2 }) => imap4rev2,
      (session) => {
        session.features.imap4rev2 = true
        session.namespace!.utf8 = true
      },
    ],
    [
      'UIDONLY',
      ({ uidOnly }) => uidOnly,
      (session) => {
        session.features.uidOnly = true
      },
    ],
  ]

/** Switches on what is known of the names. @param names upper case  @returns those that were off before */
export function enable(session: Session, names: readonly string[]): string[] {
  const off = ENABLES.filter(([, isOn]) => !isOn(session.features))
  for (const [name, , switchOn] of off) if (names.includes(name)) switchOn(session)
  // QRESYNC brings CONDSTORE with it
  return off.filter(([, isOn]) => isOn(session.features)).map(([name]) => (name === 'IMAP4REV2' ? 'IMAP4rev2' : name))
}

/** The client has shown that it knows mod-sequences. It is told where it starts from. @param by what showed it */
export function enableCondstore(session: Session, by: string): void {
  if (session.features.condstore) return
  session.features.condstore = true
  if (session.selected)
    session.reply.untagged(`OK [HIGHESTMODSEQ ${session.selected.highestModseq}] CONDSTORE enabled by ${by}`)
}

/** A search program must not count messages for a client that has given up sequence numbers (RFC 9586 §3.1). @throws {Bad} */
export function mustFit({ uidOnly }: Features, { usesSequences }: Pick<SearchProgram, 'usesSequences'>): void {
  if (uidOnly && usesSequences) throw new Bad('[UIDREQUIRED] Sequence numbers are not used with UIDONLY')
}
