/** What a client knows of the message annotations of its selected mailbox, so that it can be told which of them changed (RFC 5465 §5.1). */
import type { Annotation, MailStore } from '../../../lib/store/store.js'
import { annotationString } from '../message_annotations.js'

/** Annotations of a mailbox beyond which nobody is told of changes. */
const MOST = 10_000

/** `/comment` and whether it is shared → value */
type Values = Map<string, Buffer>

function keyOf({ entry, userid }: Annotation): string {
  return `${entry} ${userid === '' ? 'shared' : 'priv'}`
}

export class AnnotationMemory {
  readonly #known = new Map<number, Values>()

  private constructor(
    readonly store: MailStore,
    readonly id: number,
    readonly userid: string,
  ) {}

  /** What there is now; undefined when there is too much of it. */
  static of(store: MailStore, id: number, userid: string): AnnotationMemory | undefined {
    const memory = new AnnotationMemory(store, id, userid)
    let count = 0
    for (const [uid, annotation] of store.allMessageAnnotations(id)) {
      if ((count += 1) > MOST) return undefined
      if (annotation.userid !== '' && annotation.userid !== userid) continue
      const values = memory.#known.get(uid) ?? new Map()
      values.set(keyOf(annotation), annotation.value)
      memory.#known.set(uid, values)
    }
    return memory
  }

  /** Whether there are any. */
  get some(): boolean {
    return this.#known.size > 0
  }

  /** @returns `ANNOTATION (/comment (value.shared "x"))` of those of a message that differ from what was known; undefined if none do */
  changed(uid: number): string | undefined {
    const before = this.#known.get(uid)
    const now: Values = new Map()
    for (const annotation of this.store.messageAnnotations(this.id, uid))
      if (annotation.userid === '' || annotation.userid === this.userid) now.set(keyOf(annotation), annotation.value)
    if (now.size === 0) this.#known.delete(uid)
    else this.#known.set(uid, now)
    const byEntry = new Map<string, string[]>()
    for (const key of new Set([...(before?.keys() ?? []), ...now.keys()])) {
      const [old, value] = [before?.get(key), now.get(key)]
      if (old !== undefined && value !== undefined && old.equals(value)) continue
      const [entry, kind] = key.split(' ') as [string, string]
      byEntry.set(entry, [...(byEntry.get(entry) ?? []), `value.${kind} ${annotationString(value)}`])
    }
    if (byEntry.size === 0) return undefined
    return `ANNOTATION (${[...byEntry].map(([entry, values]) => `${entry} (${values.join(' ')})`).join(' ')})`
  }
}
