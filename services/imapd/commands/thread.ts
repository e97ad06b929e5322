/** THREAD and UID THREAD (RFC 5256). */
import { parseSearchIn, type SearchProgram } from '../../../lib/imap/search_keys.js'
import { THREAD_ALGORITHMS, type ThreadAlgorithm, type ThreadMessage, threads } from '../../../lib/imap/threading.js'
import { type CommandContext, define, SELECTED, selectedOf } from '../command.js'
import { enableCondstore, mustFit } from '../features.js'
import { pauseIfLong } from '../pace.js'
import { modseqSuffix } from '../search/answer.js'
import { searchMessages } from '../search/run.js'
import type { Selected } from '../selected.js'
import { factsOf } from '../sort/facts.js'
import { ofWholeView } from '../sort/whole_view.js'

async function messagesAt(
  { session, uid }: CommandContext,
  selected: Selected,
  positions: readonly number[],
): Promise<ThreadMessage[]> {
  const facts = await factsOf(session, selected, positions, ['ids', 'sent', 'subject'])
  const { index, view } = selected
  return positions.map((position) => {
    const own = view[position]!
    const { text, isReply } = facts.subject!.get(own)!
    const arrived = index.internaldate(index.findUid(own))
    return {
      number: uid ? own : position + 1,
      ...facts.ids!.get(own)!,
      subject: text,
      isReply,
      sent: facts.sent!.get(own) || arrived,
      arrived,
    }
  })
}

async function threadText(
  context: CommandContext,
  selected: Selected,
  algorithm: ThreadAlgorithm,
  positions: readonly number[],
): Promise<string> {
  const { connection } = context.session
  const pace = { since: performance.now() }
  const steps = threads(algorithm, await messagesAt(context, selected, positions))
  let step = steps.next()
  for (; !step.done; step = steps.next()) {
    const pause = pauseIfLong(connection, pace)
    if (pause) await pause
  }
  return step.value
}

export const thread = define<{ algorithm: ThreadAlgorithm; program: SearchProgram }>({
  name: 'THREAD',
  states: SELECTED,
  hasUidForm: true,
  countsMessages: true,
  parse(args) {
    args.space()
    const name = args.keyword()
    const algorithm = THREAD_ALGORITHMS.get(name)
    if (!algorithm) return args.fail(`Invalid Thread algorithm ${name.slice(0, 40)}`)
    args.space()
    const charset = args.astring().toString('latin1')
    args.space()
    const program = parseSearchIn(args, charset, Math.floor(Date.now() / 1000))
    args.end()
    return { algorithm, program }
  },
  async run(context, { algorithm, program }) {
    const selected = selectedOf(context)
    mustFit(context.session.features, program)
    if (program.usesModseq) enableCondstore(context.session, 'MODSEQ search')
    const positions = await searchMessages(context, selected, program.key)
    const question = `THREAD ${algorithm} ${context.uid}`
    const text = await ofWholeView(selected.view, positions.length, question, () =>
      threadText(context, selected, algorithm, positions),
    )
    const modseq = modseqSuffix(selected, { positions, modseq: program.usesModseq })
    context.session.reply.untagged(text === '' ? 'THREAD' : `THREAD ${text}${modseq}`)
    return `Completed (${positions.length} msgs)`
  },
})
