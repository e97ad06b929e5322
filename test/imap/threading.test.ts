/** THREAD's algorithms on messages made for the purpose. */
import t from 'tap'
import { THREAD_ALGORITHMS, type ThreadMessage, threads } from '../../lib/imap/threading.js'

/** `id<ref,ref subject@time`; numbers count from 1. */
function messages(...texts: string[]): ThreadMessage[] {
  return texts.map((text, n) => {
    const match = /^(\w*)(?:<([\w,]+))?(?: ([\w:]+))?(?:@(\d+))?$/.exec(text)!
    const [, id, references = '', subject = `s${n}`, time = String(n)] = match
    const isReply = subject.startsWith('re:')
    return {
      number: n + 1,
      id: id!,
      references: references === '' ? [] : references.split(','),
      subject: subject.replace(/^re:/, ''),
      isReply,
      sent: Number(time),
      arrived: Number(time),
    }
  })
}

function by(name: string, ...texts: string[]): string {
  const steps = threads(THREAD_ALGORITHMS.get(name)!, messages(...texts))
  let step = steps.next()
  while (!step.done) step = steps.next()
  return step.value
}

t.test('ORDEREDSUBJECT', async (t) => {
  t.equal(by('ORDEREDSUBJECT'), '')
  t.equal(by('ORDEREDSUBJECT', 'a x@3', 'b y@2', 'c re:x@1', 'd x@4'), '(3 (1)(4))(2)')
})

t.test('REFERENCES', async (t) => {
  t.equal(by('REFERENCES', 'a', 'b<a', 'c<a,b', 'd<a'), '(1 (2 3)(4))')
  t.equal(by('REFERENCES', 'b<gone', 'c<gone'), '((1)(2))', 'an empty parent of two stays')
  t.equal(by('REFERENCES', 'b<gone', 'd<b'), '(1 2)', 'of one it does not')
  t.equal(by('REFERENCES', 'a<b', 'b<a'), '(2 1)', 'no loops')
  t.equal(by('REFERENCES', 'a', 'a', 'c<a'), '(1 3)(2)', 'the first of a name has it')
  t.equal(by('REFERENCES', ' x', ' re:x', ' re:x'), '(1 (2)(3))')
  t.equal(by('REFERENCES', 'a x', 'b x'), '((1)(2))')
  t.equal(by('REFERENCES', 'a x@5', 'b y@1', 'c<a z@9'), '(2)(1 3)')
})

t.test('REFS', async (t) => {
  t.equal(by('REFS', 'a x@1', 'b x@2', 'c<a x@3'), '(2)(1 3)', 'the newest thread last, subjects do not count')
})

t.test('long chains and wide threads cost little', async (t) => {
  const chain = Array.from({ length: 50_000 }, (_, n) => (n === 0 ? 'm0' : `m${n}<m${n - 1}`))
  const started = performance.now()
  t.match(by('REFERENCES', ...chain), /^\(1 2 3 .* 49999 50000\)$/)
  t.match(by('REFERENCES', ...chain.toReversed()), /^\(50000 49999 .* 2 1\)$/)
  t.match(by('REFS', 'm0', ...Array.from({ length: 50_000 }, (_, n) => `x${n}<m0`)), /^\(1 \(2\)\(3\)/)
  t.ok(performance.now() - started < 3000, `${Math.round(performance.now() - started)} ms`)
})
