/** Which mailboxes the lines of a replication log are about, as far as messages may have come to them. */
import { inboxOf } from '../../lib/mailbox/names.js'
import type { MailStore } from '../../lib/store/store.js'
import { parseLogLine, planLog } from '../../lib/sync/log_lines.js'

/** @returns internal names, each once; lines that are none are passed over */
export function namesInLog(store: MailStore, lines: readonly string[]): Set<string> {
  const entries = lines.map(parseLogLine).filter((entry) => entry !== undefined && typeof entry !== 'string')
  const plan = planLog(entries)
  const names = new Set<string>()
  for (const mailboxes of plan.mailboxes.values()) for (const name of mailboxes) names.add(name)
  for (const user of plan.users) for (const { name } of store.mailboxes(inboxOf(user))) names.add(name)
  return names
}
