/**
 * The threads of THREAD (RFC 5256 §3 and §4: ORDEREDSUBJECT, REFERENCES; REFS as Cyrus has it). Pure, and bounded: no
 * recursion, so that a chain of a hundred thousand replies is nothing special. The work goes in steps, between which whoever
 * asked may let others run.
 */

/** What threading looks at; times are unix seconds. */
export interface ThreadMessage {
  /** how the answer names it */
  readonly number: number
  /** its Message-ID, '' if it has none */
  readonly id: string
  /** identifiers of the messages before it, the eldest first */
  readonly references: readonly string[]
  /** base subject in the form in which subjects are compared */
  readonly subject: string
  readonly isReply: boolean
  /** when it was sent; when it arrived, if that is not known */
  readonly sent: number
  readonly arrived: number
}

class Node {
  message: ThreadMessage | undefined
  parent: Node | undefined
  children: Node[] = []
  /** whether it is somebody's parent already */
  isParent = false
  /** by what it is sorted among its siblings, where that is not its message */
  time: number | undefined

  constructor(message?: ThreadMessage) {
    this.message = message
  }
}

/** Work that pauses now and then. */
type Steps<T> = Generator<undefined, T>

/** Messages or nodes looked at in one step. */
const STEP = 512

export type ThreadAlgorithm = (messages: readonly ThreadMessage[]) => Steps<Node[]>

export const THREAD_ALGORITHMS: ReadonlyMap<string, ThreadAlgorithm> = new Map([
  ['ORDEREDSUBJECT', orderedSubject],
  ['REFERENCES', references],
  ['REFS', refs],
])

/** The threads as THREAD answers them: `(2)(3 6 (4 23)(44 7 96))`. @param messages in the mailbox's order */
export function* threads(algorithm: ThreadAlgorithm, messages: readonly ThreadMessage[]): Steps<string> {
  return yield* format(yield* algorithm(messages))
}

/** By subject and then time; the first of a subject is the parent of all others of it. */
function* orderedSubject(messages: readonly ThreadMessage[]): Steps<Node[]> {
  const bySubject = new Map<string, Node[]>()
  for (const message of messages) {
    const nodes = bySubject.get(message.subject)
    if (nodes) nodes.push(new Node(message))
    else bySubject.set(message.subject, [new Node(message)])
  }
  yield
  const roots: Node[] = []
  for (const nodes of bySubject.values()) {
    nodes.sort(byTime)
    const [first, ...others] = nodes as [Node, ...Node[]]
    first.children = others
    roots.push(first)
    if (roots.length % STEP === 0) yield
  }
  return roots.sort(byTime)
}

function* references(messages: readonly ThreadMessage[]): Steps<Node[]> {
  const roots = yield* link(messages)
  yield* sortAll(roots, byTime)
  const grouped = groupBySubject(roots)
  yield
  return yield* sortAll(grouped, byTime)
}

/** As REFERENCES without looking at subjects; the thread with the newest arrival comes last. */
function* refs(messages: readonly ThreadMessage[]): Steps<Node[]> {
  const roots = yield* link(messages)
  yield* sortAll(roots, byTimeAndArrival)
  for (const root of roots) {
    let newest = 0
    for (const node of below(root)) if (node.message) newest = Math.max(newest, node.message.arrived)
    root.time = newest
  }
  return roots.sort(byTime)
}

const timeOf = (node: Node): number => node.time ?? (node.message ?? node.children[0]?.message)?.sent ?? 0
const arrivalOf = (node: Node): number => (node.message ?? node.children[0]?.message)?.arrived ?? 0
/** An empty root that was given a time of its own comes before all others of that time, as in Cyrus. */
function numberOf(node: Node): number {
  if (!node.message && node.time !== undefined) return 0
  return (node.message ?? node.children[0]?.message)?.number ?? 0
}

function byTime(a: Node, b: Node): number {
  return timeOf(a) - timeOf(b) || numberOf(a) - numberOf(b)
}

function byTimeAndArrival(a: Node, b: Node): number {
  return timeOf(a) - timeOf(b) || arrivalOf(a) - arrivalOf(b) || numberOf(a) - numberOf(b)
}

/** A node and everything below it, each before its children. */
function* below(root: Node): Generator<Node> {
  const waiting = [root]
  for (let node = waiting.pop(); node; node = waiting.pop()) {
    yield node
    for (let n = node.children.length - 1; n >= 0; n -= 1) waiting.push(node.children[n]!)
  }
}

/** All nodes of some threads, each before its children. */
function* allBelow(roots: readonly Node[]): Steps<Node[]> {
  const nodes: Node[] = []
  for (const root of roots) {
    for (const node of below(root)) {
      nodes.push(node)
      if (nodes.length % STEP === 0) yield
    }
  }
  return nodes
}

/** Sorts siblings at every level, the deepest first, since an empty parent counts as its first child. */
function* sortAll(roots: Node[], compare: (a: Node, b: Node) => number): Steps<Node[]> {
  const nodes = yield* allBelow(roots)
  for (let n = nodes.length - 1; n >= 0; n -= 1) {
    nodes[n]!.children.sort(compare)
    if (n % STEP === 0) yield
  }
  return roots.sort(compare)
}

/** Messages under those they refer to (steps 1 to 3 of RFC 5256 §3 REFERENCES). */
function* link(messages: readonly ThreadMessage[]): Steps<Node[]> {
  const byId = new Map<string, Node>()
  const nodes: Node[] = []
  const containerOf = (id: string): Node => {
    let node = byId.get(id)
    if (!node) {
      node = new Node()
      byId.set(id, node)
      nodes.push(node)
    }
    return node
  }
  for (const [n, message] of messages.entries()) {
    if (n % STEP === 0) yield
    let node = message.id === '' ? undefined : containerOf(message.id)
    if (!node || node.message) {
      // without an identifier of its own nobody can refer to it
      node = new Node()
      nodes.push(node)
    }
    node.message = message
    let parent: Node | undefined
    for (const id of message.references) {
      const reference = containerOf(id)
      if (parent && !reference.parent && !isWithin(parent, reference)) adopt(parent, reference)
      parent = reference
    }
    // what was guessed from others' references gives way to what the message itself says
    node.parent = undefined
    if (parent && !isWithin(parent, node)) adopt(parent, node)
  }
  const roots: Node[] = []
  for (const node of nodes) {
    if (node.parent) node.parent.children.push(node)
    else roots.push(node)
  }
  return yield* prune(roots)
}

function adopt(parent: Node, child: Node): void {
  child.parent = parent
  parent.isParent = true
}

/** Levels looked at before two messages are taken to be related anyway: loops are to be found, not paid for without bound. */
const MOST_LEVELS = 2000

/** Whether a node is another one or lies below it. */
function isWithin(node: Node, ancestor: Node): boolean {
  if (node === ancestor) return true
  if (!ancestor.isParent) return false
  let levels = 0
  for (let each: Node | undefined = node; each; each = each.parent, levels += 1)
    if (each === ancestor || levels > MOST_LEVELS) return true
  return false
}

/** Takes out nodes without a message; their children move up, but at the root only a single one does. */
function* prune(roots: Node[]): Steps<Node[]> {
  const all = yield* allBelow(roots)
  for (let n = all.length - 1; n >= 0; n -= 1) {
    if (n % STEP === 0) yield
    const node = all[n]!
    node.children = node.children.flatMap((child) => (child.message ? [child] : child.children))
  }
  const kept: Node[] = []
  for (const root of roots) {
    if (root.message || root.children.length > 1) kept.push(root)
    else kept.push(...root.children)
  }
  return kept
}

const subjectOf = (root: Node): string => (root.message ?? root.children[0]!.message)!.subject

/** Threads of one subject joined (step 5). @param roots sorted by time */
function groupBySubject(roots: Node[]): Node[] {
  const table = new Map<string, Node>()
  for (const root of roots) {
    const subject = subjectOf(root)
    if (subject === '') continue
    const known = table.get(subject)
    if (!known || (!root.message && known.message) || (known.message?.isReply && root.message && !root.message.isReply))
      table.set(subject, root)
  }
  const gone = new Set<Node>()
  for (const root of roots) {
    const subject = subjectOf(root)
    const known = subject === '' ? undefined : table.get(subject)
    if (!known || known === root) continue
    gone.add(root)
    if (!known.message && !root.message) {
      known.children.push(...root.children)
    } else if (!known.message || (root.message?.isReply && !known.message.isReply)) {
      known.children.push(root)
    } else {
      // neither can be the other's parent: both under an empty one, which takes the place of the known
      const copy = new Node(known.message)
      copy.children = known.children
      known.message = undefined
      known.children = [root, copy]
    }
  }
  return roots.filter((root) => !gone.has(root))
}

/** What is still to be written: text, or a node that opens a thread of its own. */
function* format(roots: readonly Node[]): Steps<string> {
  const out: string[] = []
  const waiting: (string | Node)[] = [...roots].reverse()
  let opened = 0
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (typeof next === 'string') {
      out.push(next)
      continue
    }
    out.push('(')
    opened += 1
    if (opened % STEP === 0) yield
    waiting.push(')')
    let node = next
    const numbers: number[] = []
    if (node.message) numbers.push(node.message.number)
    // a line of only children is told flat
    while (node.children.length === 1) {
      node = node.children[0]!
      numbers.push(node.message!.number)
    }
    out.push(numbers.join(' '))
    if (node.children.length === 0) continue
    if (numbers.length > 0) out.push(' ')
    for (let n = node.children.length - 1; n >= 0; n -= 1) waiting.push(node.children[n]!)
  }
  return out.join('')
}
