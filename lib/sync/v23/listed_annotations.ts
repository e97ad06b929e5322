/** Annotations as LIST_ANNOTATIONS has them (csync-2.3.md §4.9), the same on both ends. */
import type { Annotation, MailStore } from '../../store/store.js'
import { sortAnnotations } from '../record_codec.js'
import { CONDSTORE } from './mailbox_lines.js'
import { shownMailbox } from './shown.js'

/** The annotations of a mailbox, or of the server for '', as they are listed; those that are options of the mailbox are not. */
export function listedAnnotations(store: MailStore, name: string): Annotation[] {
  const id = name === '' ? 0 : shownMailbox(store, name)?.id
  if (id === undefined) return []
  return sortAnnotations(
    store.annotations(id).filter(({ entry, value }) => entry !== CONDSTORE && value.length > 0 && !value.includes(0)),
  )
}
