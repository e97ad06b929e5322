/**
 * CREATE (RFC 3501 §6.3.3) with parameters (RFC 4466 §2.2): USE (RFC 6154 §3), and for administrators PARTITION, which may also be named alone,
 * as in Cyrus.
 */
import type { ArgumentReader } from '../../../lib/imap/argument_reader.js'
import { createMailbox } from '../../../lib/mailbox/folders.js'
import { nameProblem } from '../../../lib/mailbox/names.js'
import {
  canonicalUses,
  checkParent,
  checkPlace,
  SPECIAL_USE,
  SpecialUseError,
} from '../../../lib/mailbox/special_use.js'
import { define, LOGGED_IN } from '../command.js'
import { DENIED, No } from '../errors.js'
import { lookUp, mayCreate } from '../mailboxes.js'
import { changeKey } from '../notify/notifier.js'
import type { Session } from '../session.js'

interface CreateArguments {
  readonly name: string
  readonly partition: string | undefined
  readonly uses: readonly string[]
}

function parseParameters(args: ArgumentReader): Pick<CreateArguments, 'partition' | 'uses'> {
  let partition: string | undefined
  let uses: readonly string[] = []
  args.list(() => {
    const name = args.keyword()
    args.space()
    if (name === 'USE') uses = args.list(() => args.flag('Invalid special use in Create'))
    else if (name === 'PARTITION') partition = args.astring().toString('latin1')
    else args.fail('Unknown parameter in Create')
  })
  return { partition, uses }
}

/** What a new mailbox is for. @throws {No} USEATTR (RFC 6154 §3) if it cannot be that */
function annotationsOf(session: Session, name: string, uses: readonly string[]) {
  if (uses.length === 0) return []
  const { store, config } = session.imapd
  try {
    checkPlace(config, name)
    const value = Buffer.from(canonicalUses(store, session.user!, uses.join(' '), name))
    return [{ entry: SPECIAL_USE, userid: session.user!, value }]
  } catch (error) {
    if (error instanceof SpecialUseError) throw new No(`[USEATTR] ${error.message}`)
    throw error
  }
}

export const create = define<CreateArguments>({
  name: 'CREATE',
  states: LOGGED_IN,
  tellsExpunged: true,
  parse(args) {
    args.space()
    const name = args.mailbox()
    let rest: Pick<CreateArguments, 'partition' | 'uses'> = { partition: undefined, uses: [] }
    if (args.tryChar(' ')) {
      rest = args.peek() === '(' ? parseParameters(args) : { partition: args.astring().toString('latin1'), uses: [] }
    }
    args.end()
    return { name, ...rest }
  },
  async run({ session }, { name: wanted, partition, uses }) {
    const namespace = session.namespace!
    const { store } = session.imapd
    // a separator at the end only announces that there will be mailboxes below
    const external = wanted.endsWith(namespace.separator) ? wanted.slice(0, -1) : wanted
    const name = namespace.toInternal(external)
    const problem = external === '' ? 'it is empty' : nameProblem(name)
    if (problem !== undefined) throw new No(`[CANNOT] Invalid mailbox name: ${problem}`)
    if (lookUp(session, name)) throw new No('[ALREADYEXISTS] Mailbox already exists')
    if (!mayCreate(session, name) || (partition !== undefined && !session.isAdmin)) throw new No(`[NOPERM] ${DENIED}`)
    checkParent(store, name, session.user!)
    const annotations = annotationsOf(session, name, uses)
    session.notifier?.causes(
      changeKey('mailbox', name),
      ...annotations.map(({ entry }) => changeKey('metadata', `${name} /private${entry}`)),
    )
    const { uniqueid } = await createMailbox(store, name, { partition, annotations })
    return `[MAILBOXID (${uniqueid})] Completed`
  },
})
