/** Who has proved who they are is let in, or not: users locked out (userdeny), too many sessions (maxlogins_*), and new users get their INBOX. */
import { autocreate, autocreates } from '../../lib/mailbox/autocreate.js'
import { inboxOf } from '../../lib/mailbox/names.js'
import { denial } from '../../lib/mailbox/userdeny.js'
import { procDirectory } from '../../lib/process/proc_entry.js'
import { connectedNow } from '../../lib/process/proc_list.js'
import { isAdmin, mayProxy } from '../../lib/sasl/identity.js'
import { No } from './errors.js'
import type { Session } from './session.js'
import { startTelemetry } from './telemetry.js'

/** Sessions of this process with somebody logged in. */
const sessions = new Set<Session>()

/**
 * Makes a session that of a user.
 * @returns the session's answer so far: false if the conversation is over, because the user may not use this service
 * @throws {No} with too many sessions
 */
export async function admit(session: Session, user: string): Promise<boolean> {
  const { config, store, service } = session.imapd
  const denied = denial(config, user, service)
  if (denied !== undefined) {
    session.service.log.notice(`denied: ${session.connection.remote} ${user}: ${denied}`)
    session.goodbye(`[ALERT] ${denied}`)
    return false
  }
  checkLimits(session, user)
  session.logIn(user)
  sessions.add(session)
  session.atEnd(() => sessions.delete(session))
  startTelemetry(session, user)
  if (autocreates(config) && store.mailbox(inboxOf(user)) === undefined)
    await autocreate(store, user, isAdmin(config, user) || mayProxy(config, user))
  return true
}

/** Sessions of other processes are counted by what they tell in proc/, which is a moment behind. @throws {No} */
function checkLimits(session: Session, user: string): void {
  const { config } = session.imapd
  const [perHost, perUser] = [config.int('maxlogins_per_host'), config.int('maxlogins_per_user')]
  if (perHost === 0 && perUser === 0) return
  const host = session.connection.remote
  const mine = [...sessions].map((each) => ({ client: each.connection.remote, user: each.user! }))
  const others = connectedNow(procDirectory(config)).filter(({ pid, user: who }) => pid !== process.pid && who !== '')
  const all = [...mine, ...others]
  const ofHost = all.filter(({ client }) => client === host || client.includes(`[${host}]`)).length + 1
  const ofUser = all.filter((each) => each.user === user).length + 1
  const problems = [
    ...(perHost > 0 && ofHost > perHost ? [`${ofHost} of ${perHost} from ${host}`] : []),
    ...(perUser > 0 && ofUser > perUser ? [`${ofUser} of ${perUser} for ${user}`] : []),
  ]
  if (problems.length === 0) return
  session.service.log.warning(`Too many open connections (${problems.join(', ')})`)
  throw new No(`[LIMIT] Too many open connections (${problems.join(', ')})`)
}
