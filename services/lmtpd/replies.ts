/** Replies to recipients, in Cyrus 3.6.1's words (RFC 2033 §4.2, RFC 3463). Each ends with CRLF. */
import type { Config } from '../../lib/config/config.js'
import { OverQuotaError } from '../../lib/mailbox/quota.js'
import { MailboxGoneError } from '../../lib/store/store.js'
import type { MessageProblem } from './message_filter.js'
import { NotPermittedError } from './recipients.js'

export function delivered(sessionId: string): string {
  return `250 2.1.5 Success SESSIONID=<${sessionId}>\r\n`
}

const PROBLEMS: Readonly<Record<MessageProblem, string>> = {
  nul: 'Message contains NUL characters',
  header: 'Message contains invalid header',
  '8bit': 'Message contains non-ASCII characters in headers',
}

export function invalidMessage(problem: MessageProblem): string {
  return `554 5.6.0 ${PROBLEMS[problem]}\r\n`
}

export function tooBig(size: number, largest: number): string {
  return `552 5.2.3 Message size (${size}) exceeds fixed maximum message size (${largest})\r\n`
}

/** The reply for whatever kept a message from a recipient, and whether the log should have it as an error. */
export function refusal(error: unknown, config: Config, sessionId: string): { reply: string; ours: boolean } {
  if (error instanceof MailboxGoneError) {
    return {
      ours: false,
      reply:
        '550-Mailbox unknown.  Either there is no mailbox associated with this\r\n' +
        '550-name or you do not have authorization to see it.\r\n' +
        '550 5.1.1 User unknown\r\n',
    }
  }
  if (error instanceof NotPermittedError) {
    return {
      ours: false,
      reply:
        '550-You do not have permission to post a message to this mailbox.\r\n' +
        '550-Please contact the owner of this mailbox in order to submit\r\n' +
        `550-your message, or ${config.string('postmaster')} if you believe you\r\n` +
        '550-received this message in error.\r\n' +
        '550 5.7.1 Permission denied\r\n',
    }
  }
  if (error instanceof OverQuotaError) {
    const code = config.switch('lmtp_over_quota_perm_failure') ? '552 5.2.2' : '452 4.2.2'
    return { ours: false, reply: `${code} Over quota SESSIONID=<${sessionId}>\r\n` }
  }
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT') return { ours: true, reply: '451 4.3.1 No space left on the server\r\n' }
  return { ours: true, reply: '451 4.3.0 System I/O error\r\n' }
}
