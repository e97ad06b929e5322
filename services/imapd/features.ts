/** What a client has switched on (ENABLE, RFC 5161, or a command that implies it), and how that changes what it is told. */
import type { Session } from './session.js'

/** A conversation's switches; none is ever switched off again. */
export class Features {
  /** FETCH answers of our own accord carry the mod-sequence (RFC 7162 §3.1). */
  condstore = false
  /** Expunged messages are told as VANISHED, and FETCH answers carry the UID (RFC 7162 §3.2). */
  qresync = false
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
  ]

/** Switches on what is known of the names. @param names upper case  @returns those that were off before */
export function enable(session: Session, names: readonly string[]): string[] {
  const off = ENABLES.filter(([, isOn]) => !isOn(session.features))
  for (const [name, , switchOn] of off) if (names.includes(name)) switchOn(session)
  // QRESYNC brings CONDSTORE with it
  return off.filter(([, isOn]) => isOn(session.features)).map(([name]) => name)
}

/** The client has shown that it knows mod-sequences. It is told where it starts from. @param by what showed it */
export function enableCondstore(session: Session, by: string): void {
  if (session.features.condstore) return
  session.features.condstore = true
  if (session.selected)
    session.reply.untagged(`OK [HIGHESTMODSEQ ${session.selected.highestModseq}] CONDSTORE enabled by ${by}`)
}
