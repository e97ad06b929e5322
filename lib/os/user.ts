/**
 * Who we are: looking users up as the C library does (files, NSS), and becoming one for good. Only root may; the change holds for all threads.
 */
import koffi from 'koffi'
import { native, SystemError } from './libc.js'

/** struct passwd and struct group of <pwd.h> and <grp.h>, Linux. */
const PASSWD = koffi.struct({
  name: 'const char *',
  password: 'const char *',
  uid: 'uint32_t',
  gid: 'uint32_t',
  gecos: 'const char *',
  home: 'const char *',
  shell: 'const char *',
})
const GROUP = koffi.struct({ name: 'const char *', password: 'const char *', gid: 'uint32_t' })

export interface User {
  readonly name: string
  readonly uid: number
  readonly gid: number
  readonly home: string
}

/** @returns the user by name, or undefined */
export function findUser(name: string): User | undefined {
  const found = native.getpwnam()(name)
  if (!found) return undefined
  const { uid, gid, home } = koffi.decode(found, PASSWD) as User
  return { name, uid, gid, home }
}

/** @returns a group's number by name, or undefined */
export function findGroup(name: string): number | undefined {
  const found = native.getgrnam()(name)
  return found ? (koffi.decode(found, GROUP) as { gid: number }).gid : undefined
}

const PR_SET_KEEPCAPS = 8
const CAP_NET_BIND_SERVICE = 10
const CAPABILITY_VERSION_3 = 0x20080522

/**
 * Becomes a user with its supplementary groups, for good.
 * @param options.keepBind keep the right to bind ports below 1024 in the main thread (not in programs executed later)
 * @throws {Error} when not root, or what the kernel says
 */
export function becomeUser(user: User, gid: number, options: { keepBind?: boolean } = {}): void {
  const { keepBind = false } = options
  if (keepBind && native.prctl()(PR_SET_KEEPCAPS, 'unsigned long', 1) < 0) {
    throw new SystemError('prctl', koffi.errno(), 'PR_SET_KEEPCAPS')
  }
  // Node has it; its type declarations do not.
  ;(process as unknown as { initgroups(user: string, gid: number): void }).initgroups(user.name, gid)
  process.setgid!(gid)
  process.setuid!(user.uid)
  if (!keepBind) return
  const header = Buffer.alloc(8)
  header.writeUInt32LE(CAPABILITY_VERSION_3, 0)
  const sets = Buffer.alloc(24)
  sets.writeUInt32LE(1 << CAP_NET_BIND_SERVICE, 0)
  sets.writeUInt32LE(1 << CAP_NET_BIND_SERVICE, 4)
  // Where a container never had the capability this fails, and so will binding low ports, with its own message.
  native.capset()(header, sets)
}

/** Makes this process the leader of a process group of its own, unless it is one. @returns whether it leads a group now */
export function leadProcessGroup(): boolean {
  if (native.getpgrp()() === process.pid) return true
  return native.setpgid()(0, 0) === 0
}

/** Whether this process leads its process group. */
export function leadsProcessGroup(): boolean {
  return native.getpgrp()() === process.pid
}
