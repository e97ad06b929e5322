/** STATUS (RFC 3501 §6.3.10); status_items.ts knows what can be asked. */
import { define, LOGGED_IN } from '../command.js'
import { mustFind } from '../mailboxes.js'
import { parseStatusItems, tellStatus } from '../status_items.js'

export const status = define<{ name: string; items: ReadonlySet<string> }>({
  name: 'STATUS',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const name = args.mailbox()
    args.space()
    const items = parseStatusItems(args)
    args.end()
    return { name, items }
  },
  async run({ session }, { name, items }) {
    tellStatus(session, mustFind(session, name, 'r').header, items, name)
    return undefined
  },
})
