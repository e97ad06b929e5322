/**
 * How a command fails: `No` and `Bad` become the tagged answer, everything else that the layers below throw is
 * translated here once, with the texts Cyrus uses. What is not known is a bug: logged, answered as such.
 */
import { UnknownCharsetError } from '../../lib/imap/search_keys.js'
import { ImapSyntaxError } from '../../lib/imap/syntax_error.js'
import { UnknownRightError } from '../../lib/mailbox/access.js'
import { AnnotationValueError } from '../../lib/mailbox/annotation_entries.js'
import { BadNameError, ForbiddenError, HasChildrenError } from '../../lib/mailbox/folders.js'
import { OverQuotaError } from '../../lib/mailbox/quota.js'
import { SpecialUseConflictError, SpecialUseError } from '../../lib/mailbox/special_use.js'
import {
  MailboxExistsError,
  MailboxGoneError,
  MessageFileError,
  TooManyFlagsError,
  UnknownPartitionError,
} from '../../lib/store/store.js'

/** The command was understood and cannot be done. The text may begin with a response code. */
export class No extends Error {
  override name = 'No'
}

/** The command was not understood. */
export class Bad extends Error {
  override name = 'Bad'
}

export const NO_MAILBOX = 'Mailbox does not exist'
export const DENIED = 'Permission denied'

/** @returns the status and text of the tagged answer; undefined for what is a bug */
export function answerFor(error: unknown): { status: 'NO' | 'BAD'; text: string } | undefined {
  if (error instanceof No) return { status: 'NO', text: error.message }
  if (error instanceof Bad || error instanceof ImapSyntaxError) return { status: 'BAD', text: oneLine(error.message) }
  if (error instanceof UnknownRightError) return { status: 'BAD', text: oneLine(error.message) }
  if (error instanceof UnknownCharsetError) return { status: 'NO', text: `[BADCHARSET] ${error.message}` }
  if (error instanceof AnnotationValueError || error instanceof SpecialUseError)
    return { status: 'NO', text: oneLine(error.message) }
  if (error instanceof SpecialUseConflictError) return { status: 'NO', text: `[USEATTR] ${error.message}` }
  if (error instanceof MailboxGoneError) return { status: 'NO', text: `[NONEXISTENT] ${NO_MAILBOX}` }
  if (error instanceof MailboxExistsError) return { status: 'NO', text: '[ALREADYEXISTS] Mailbox already exists' }
  if (error instanceof BadNameError)
    return { status: 'NO', text: `[CANNOT] Invalid mailbox name: ${oneLine(error.message)}` }
  if (error instanceof HasChildrenError)
    return { status: 'NO', text: '[HASCHILDREN] Mailbox has inferior hierarchical names' }
  if (error instanceof ForbiddenError) return { status: 'NO', text: `[CANNOT] ${oneLine(error.message)}` }
  if (error instanceof TooManyFlagsError) return { status: 'NO', text: '[LIMIT] Too many user flags in mailbox' }
  if (error instanceof OverQuotaError) return { status: 'NO', text: '[OVERQUOTA] Over quota' }
  if (error instanceof MessageFileError) return { status: 'NO', text: `[SERVERBUG] ${oneLine(error.message)}` }
  if (error instanceof UnknownPartitionError) return { status: 'NO', text: `[CANNOT] ${oneLine(error.message)}` }
  const code = (error as NodeJS.ErrnoException)?.code
  if (code === 'ENOSPC' || code === 'EDQUOT') return { status: 'NO', text: '[UNAVAILABLE] No space left on the server' }
  return undefined
}

function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200)
}
