/** What can be wrong with a change to the store, one class for each kind that a caller tells apart. */

/** A mailbox that was to be changed is not there any more. */
export class MailboxGoneError extends Error {
  override name = 'MailboxGoneError'
  constructor(readonly mailbox: string | number) {
    super(`mailbox ${mailbox} does not exist`)
  }
}

/** A mailbox of that name, or one with that uniqueid, is already there. */
export class MailboxExistsError extends Error {
  override name = 'MailboxExistsError'
  constructor(readonly mailbox: string) {
    super(`mailbox ${mailbox} already exists`)
  }
}

/** A mailbox has its 128 keywords already. */
export class TooManyFlagsError extends Error {
  override name = 'TooManyFlagsError'
}
