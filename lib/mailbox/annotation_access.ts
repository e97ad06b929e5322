/** Who may read and change annotations (RFC 5464 §3.3, RFC 5257 §6, as Cyrus reads them). Pure. */
import type { Rights } from './acl.js'
import type { AnnotationEntry, AnnotationScope } from './annotation_entries.js'

/** @param rights in the mailbox; undefined for the server's annotations, which everybody may read */
export function mayReadAnnotations(scope: AnnotationScope, rights: Rights | undefined, isAdmin: boolean): boolean {
  if (isAdmin || scope === 'server') return true
  return rights?.has(scope === 'mailbox' ? 'lr' : 'r') ?? false
}

/** Whether a value may be set. @param shared whether it is the shared one, else one's own */
export function mayStoreAnnotation(
  scope: AnnotationScope,
  entry: AnnotationEntry,
  shared: boolean,
  rights: Rights | undefined,
  isAdmin: boolean,
): boolean {
  if (shared ? !entry.shared : !entry.private) return false
  if (isAdmin) return true
  if (scope === 'server') return !shared
  const needed = scope === 'message' ? (shared ? 'n' : 'r') : shared ? `lrw${entry.rights}` : 'l'
  return rights?.has(needed) ?? false
}
