/** A session with a replica of either generation, and the kinds of work done on it. */

import type { Logger } from '../../process/log.js'
import type { MailStore } from '../../store/store.js'
import { syncMailboxes as syncMailboxes23 } from '../v23/client/folders.js'
import { runLog23 } from '../v23/client/log_run.js'
import { syncSieve as syncSieve23 } from '../v23/client/meta.js'
import type { ClientOptions23 } from '../v23/client/session.js'
import { ClientSession23, PAUSES } from '../v23/client/session.js'
import { syncUser as syncUser23 } from '../v23/client/user.js'
import { RunMemory, runLog } from './log_run.js'
import type { Peer } from './peer.js'
import { type ClientOptions, ClientSession } from './session.js'
import { syncMailboxes } from './sync_folders.js'
import { syncMeta, syncUser } from './sync_user.js'

export type AnySession = ClientSession | ClientSession23

/** A session with whoever has been reached; the peer is its only from now on. */
export function sessionWith(
  peer: Peer,
  store: MailStore,
  log: Logger,
  options: ClientOptions & Partial<Pick<ClientOptions23, 'pauses' | 'knowledge'>>,
): AnySession {
  if (peer.release === undefined) return new ClientSession(store, peer, log, options)
  const { tell, partition, sent, knowledge, pauses = PAUSES } = options
  const batchSize = store.config.int('sync_batch_size')
  const shared = { ...(sent && { sent }), ...(knowledge && { knowledge }) }
  return new ClientSession23(store, peer.handOver(), log, { tell, partition, batchSize, pauses, ...shared })
}

/** Log lines. As runLog of log_run.ts. */
export function replicateLog(
  session: AnySession,
  lines: readonly string[],
  stopping: () => boolean,
  memory: RunMemory = new RunMemory(),
): Promise<string[]> {
  if (session instanceof ClientSession23) return runLog23(session, lines, stopping, memory)
  return runLog(session, lines, stopping, memory)
}

/** A user with all that is theirs. @throws {PeerRefusalError}, {ItemError}, {PeerGoneError} */
export function replicateUser(session: AnySession, userid: string): Promise<void> {
  if (session instanceof ClientSession23) return session.locked(() => syncUser23(session, userid))
  return syncUser(session, userid)
}

/** Mailboxes by internal names. @throws as `replicateUser` */
export function replicateMailboxes(session: AnySession, names: readonly string[]): Promise<void> {
  if (session instanceof ClientSession23) return session.locked(() => syncMailboxes23(session, names))
  return syncMailboxes(session, names)
}

/** What `-s` says: with a replica of 2.3 scripts alone, later all of META. @throws as `replicateUser` */
export function replicateMeta(session: AnySession, userid: string): Promise<void> {
  if (session instanceof ClientSession23) return session.locked(() => syncSieve23(session, userid))
  return syncMeta(session, userid)
}
