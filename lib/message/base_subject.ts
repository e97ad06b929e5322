/** The base subject by which messages are sorted and threaded (RFC 5256 §2.1), as Cyrus reads that. Pure. */

export interface BaseSubject {
  /** without prefixes, blobs and trailers */
  readonly base: string
  /** whether something taken away said reply or forward */
  readonly isReply: boolean
}

/** `re:`, `fw[2]:`, `fwd :` */
const REPLY = /^(?:re|fwd?)\s*(?:\[[^\]]*\]\s*)?:/i
/** `[list]`, but not the whole subject */
const BLOB = /^\[[^[\]]*\](?=[\s\S])/
const TRAILER = /(?:\s|\(fwd\))+$/i

/** @param subject decoded */
export function baseSubject(subject: string): BaseSubject {
  let base = subject
  let isReply = false
  for (;;) {
    const trailer = TRAILER.exec(base.slice(-MOST_TRAILER))?.[0] ?? ''
    if (/\(fwd\)/i.test(trailer)) isReply = true
    base = base.slice(0, base.length - trailer.length)
    const stripped = withoutLeaders(base)
    base = stripped.base
    isReply ||= stripped.isReply
    // Netscape's [Fwd: …] holds a subject
    if (!/^\[fwd:[\s\S]*\]$/i.test(base)) return { base, isReply }
    isReply = true
    base = base.slice(5, -1)
  }
}

/** What is looked at for trailers; the pattern is never run over a subject of any length. */
const MOST_TRAILER = 1000

function withoutLeaders(text: string): BaseSubject {
  let base = text
  let isReply = false
  for (;;) {
    base = base.trimStart()
    const reply = REPLY.exec(base)?.[0]
    if (reply !== undefined) {
      isReply = true
      base = base.slice(reply.length)
      continue
    }
    const blob = BLOB.exec(base)?.[0]
    if (blob === undefined) return { base, isReply }
    // a blob that is followed by nothing but itself is the subject
    base = base.slice(blob.length)
  }
}
