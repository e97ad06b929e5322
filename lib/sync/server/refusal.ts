/** How the server refuses a command: the `NO` lines of csync.md §1.6, word for word, since a client tells them apart. */

/** What follows `NO `. */
export const Refused = {
  nonexistent: 'IMAP_MAILBOX_NONEXISTENT No Such Mailbox',
  locked: 'IMAP_MAILBOX_LOCKED Mailbox locked',
  moved: 'IMAP_MAILBOX_MOVED Mailbox exists with another name or uniqueid',
  checksum: 'IMAP_SYNC_CHECKSUM Checksum Failure',
  changed: 'IMAP_SYNC_CHANGED Changed since last sync',
  protocol: 'IMAP_PROTOCOL_ERROR Protocol error',
  badParameters: 'IMAP_PROTOCOL_BAD_PARAMETERS',
  unknown: 'Unknown error',
} as const

/** Ends a command with `NO`; `message` is for the log, where it is worth one. */
export class Refusal extends Error {
  override name = 'Refusal'
  constructor(
    readonly line: string,
    message = '',
  ) {
    super(message)
  }
}
