/** The annotations of one mailbox, or of the server for '', brought into line (csync-2.3.md §6.4). */
import { listedAnnotations } from '../listed_annotations.js'
import { astring, nameArgument } from '../text.js'
import { askLines, oneText } from './remote.js'
import type { ClientSession23 } from './session.js'

/** @throws {PeerRefusalError}, {PeerGoneError} */
export async function syncAnnotations(session: ClientSession23, name: string): Promise<void> {
  const { peer, store } = session
  const there = await askLines(session, 'LIST_ANNOTATIONS', `LIST_ANNOTATIONS ${nameArgument(name)}`, async (line) => {
    const [entry, userid] = [await oneText(line), await oneText(line)]
    return { entry, userid, value: await line.astring() }
  })
  const key = ({ entry, userid }: { entry: string; userid: string }): string => `${entry}\0${userid}`
  const values = new Map(there.map((each) => [key(each), each.value]))
  const changes: { entry: string; userid: string; value: string | undefined }[] = []
  for (const { entry, userid, value } of listedAnnotations(store, name)) {
    const text = value.toString('latin1')
    if (values.get(key({ entry, userid })) !== text) changes.push({ entry, userid, value: text })
    values.delete(key({ entry, userid }))
  }
  for (const { entry, userid } of there)
    if (values.has(key({ entry, userid }))) changes.push({ entry, userid, value: undefined })
  // both lists are sorted so, and Cyrus walks them together
  const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
  changes.sort((a, b) => order(a.entry, b.entry) || order(a.userid, b.userid))
  for (const { entry, userid, value } of changes) {
    const written = value === undefined ? 'NIL' : astring(value)
    await peer.ask('SETANNOTATION', [
      `SETANNOTATION ${nameArgument(name)} ${nameArgument(entry)} ${nameArgument(userid)} ${written}`,
    ])
  }
}
