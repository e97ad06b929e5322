/** The same conversations played to ours and to the real Cyrus 3.6.1: the answers are the same, but for what docs/imapd.8.md lists with its reason. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { needsCyrus } from '../lab/needs.js'
import { ROOT } from '../lab/software.js'
import { allScripts, isFor, NAMESPACES, report, SideBySide } from './differential/compare.js'
import { ModseqOrder, modseqsOf, normalize } from './differential/normalize.js'
import { parseScripts, type Script } from './differential/script.js'

const TOGETHER = 3

t.test('every difference that is allowed is listed in imapd(8)', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/imapd.8.md'), 'utf8').replace(/\s+/g, ' ')
  const reasons = new Set(allScripts().flatMap(({ steps }) => steps.flatMap(({ reason }) => reason ?? [])))
  for (const reason of reasons) t.ok(page.includes(reason), reason)
})

t.test('what is compared', async (t) => {
  const [script] = parseScripts('= one [corpus]\nA NOOP\n:n (\\d+)\n~ why\n% B UID FETCH $n FLAGS', 'x.txt')
  t.match(script, { name: 'one', steps: [{ connection: 'A', reason: 'why' }, { unordered: true }] })
  t.throws(() => parseScripts('A NOOP', 'x.txt'), { message: 'x.txt:1: a conversation begins with "= name"' })
  const answers = [
    ['* 1 FETCH (MODSEQ (77))', '* OK [HIGHESTMODSEQ 78] text', 'tag OK [MODIFIED 1] text'],
    ['* 2 X', '* 1 X', 'tag NO wording'],
  ]
  t.same(normalize(answers, [false, true], 'nobody'), [
    ['* 1 FETCH (MODSEQ (#))', '* OK [HIGHESTMODSEQ #]', 'tag OK [MODIFIED 1]'],
    ['* 1 X', '* 2 X', 'tag NO'],
  ])
  t.same(modseqsOf(answers[0]!), [77, 78])
  const order = new ModseqOrder()
  t.ok(order.agrees([77, 78], [5, 9]))
  t.notOk(order.agrees([79], [8]), 'larger here, smaller there')
  t.notOk(order.agrees([78], [10]), 'the same here, another there')
  t.ok(order.agrees([77, 80], [5, 10]))
})

t.test('ours and Cyrus answer alike', async (t) => {
  if (!needsCyrus(t)) return
  const all = allScripts()
  let exchanges = 0
  for (const namespace of NAMESPACES) {
    const scripts = all.filter((script) => isFor(script, namespace))
    const both = await SideBySide.start(namespace)
    try {
      // what all users see must not come and go while others look
      const alone = scripts.filter(({ options }) => options.has('alone'))
      const together = scripts.filter(({ options }) => !options.has('alone'))
      const player = async (queue: Script[]): Promise<void> => {
        for (let script = queue.shift(); script; script = queue.shift()) {
          const outcome = await both.compare(script)
          const text = report(outcome)
          // on a machine that has much else to do the real one refuses now and then what it takes the next time; ours may not
          const again = text === '' ? outcome : await both.compare(script)
          const cyrusVaries = report(again) === '' && isDeepStrictEqual(again.ours, outcome.ours)
          if (text === '' || cyrusVaries) t.pass(`${script.file}: ${script.name}`)
          else t.fail(text)
          if (text !== '' && cyrusVaries) t.comment(`only the real one answered otherwise the second time:\n${text}`)
          exchanges += script.steps.length
        }
      }
      await Promise.all(Array.from({ length: TOGETHER }, () => player(together)))
      await player(alone)
    } finally {
      await both.close()
    }
  }
  t.comment(`${exchanges} exchanges`)
})
