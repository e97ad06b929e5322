/** Sieve scripts of a user on a replica that does not take the #sieve mailbox (csync.md §8.5): one by one, then which of them is active. */
import { sieveScripts } from '../../mailbox/sieve_scripts.js'
import { bytesOf, kvlist, scalar } from '../dlist.js'
import type { SieveEntry } from '../user_codec.js'
import type { ClientSession } from './session.js'

/** @param theirs what the replica told of the user @throws {PeerRefusalError}, {PeerGoneError} */
export async function syncSieve(session: ClientSession, userid: string, theirs: readonly SieveEntry[]): Promise<void> {
  const { store, peer, options } = session
  const user = ['USERID', scalar(bytesOf(userid), 'client')] as const
  const named = (filename: string) => kvlist([[...user], ['FILENAME', scalar(bytesOf(filename), 'client')]])
  const there = new Map(
    theirs.filter(({ filename }) => filename.endsWith('.script')).map((entry) => [entry.filename, entry]),
  )
  const activeThere = theirs.find(({ active }) => active)?.filename
  const ours = await sieveScripts(store, userid)
  for (const { name, guid, lastUpdate, content } of ours) {
    const filename = `${name}.script`
    const same = there.get(filename)?.guid === guid
    there.delete(filename)
    if (same) continue
    options.tell(`SIEVE ${userid} ${filename}`)
    await peer.ask('APPLY', 'SIEVE', [
      kvlist([
        [...user],
        ['FILENAME', scalar(bytesOf(filename), 'client')],
        ['LAST_UPDATE', lastUpdate],
        ['CONTENT', scalar(content.toString('latin1'), 'client')],
      ]),
    ])
  }
  const active = ours.find((script) => script.active)?.name
  const wanted = active === undefined ? undefined : `${active}.bc`
  if (wanted !== undefined && wanted !== activeThere) {
    options.tell(`ACTIVATE_SIEVE ${userid} ${wanted}`)
    await peer.ask('APPLY', 'ACTIVATE_SIEVE', [named(wanted)])
  } else if (wanted === undefined && activeThere !== undefined) {
    options.tell(`UNACTIVATE_SIEVE ${userid}`)
    await peer.ask('APPLY', 'UNACTIVATE_SIEVE', [kvlist([[...user]])])
  }
  for (const filename of there.keys()) {
    options.tell(`UNSIEVE ${userid} ${filename}`)
    await peer.ask('APPLY', 'UNSIEVE', [named(filename)])
  }
}
