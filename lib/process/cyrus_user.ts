/**
 * The user that all programs run as: `cyrus_user` (or CYRUS_USER in the environment) and `cyrus_group`. A program started by root becomes
 * that user before it touches anything, so that no file becomes root's; one started by anyone else stays who it is.
 */
import type { Config } from '../config/config.js'
import { becomeUser, findGroup, findUser } from '../os/user.js'

/** The user or group that is to be taken does not exist. Exit status 69. */
export class NoSuchUserError extends Error {
  readonly exitStatus = 69
}

/**
 * @param options.keepBind keep the right to bind ports below 1024 (master)
 * @returns whether the user changed
 * @throws {NoSuchUserError} naming the option to be set
 */
export function becomeCyrusUser(config: Config, options: { keepBind?: boolean } = {}): boolean {
  if (process.getuid?.() !== 0) return false
  const name = process.env.CYRUS_USER || config.string('cyrus_user') || 'cyrus'
  const user = findUser(name)
  if (user === undefined) {
    throw new NoSuchUserError(
      `user "${name}" does not exist: add it (useradd --system ${name}), or set cyrus_user in ${config.path}`,
    )
  }
  const groupName = process.env.CYRUS_GROUP || config.string('cyrus_group')
  const gid = groupName ? findGroup(groupName) : user.gid
  if (gid === undefined)
    throw new NoSuchUserError(`group "${groupName}" (cyrus_group in ${config.path}) does not exist`)
  if (user.uid === 0) return false
  becomeUser(user, gid, options)
  return true
}
