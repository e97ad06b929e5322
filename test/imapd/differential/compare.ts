/** A lab with ours and the real Cyrus in it, and conversations played to both. Also runs alone: `node compare.js FILE…` prints what differs. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Lab } from '../../lab/lab.js'
import { ROOT } from '../../lab/software.js'
import { ModseqOrder, modseqsOf, normalize, sameLine } from './normalize.js'
import { type Answers, Player } from './player.js'
import { parseScripts, type Script, type Step } from './script.js'
import { tables } from './tables.js'

/** One step that was answered differently. */
export interface Difference {
  readonly step: Step
  readonly ours: Answers
  readonly cyrus: Answers
}

export interface Outcome {
  readonly script: Script
  readonly differences: Difference[]
  /** steps that are listed as different and no longer are */
  readonly settled: Step[]
  /** what ours answered, as it is compared */
  readonly ours: readonly Answers[]
}

const DIRECTORY = join(ROOT, 'test/imapd/differential')

/** All conversations: those of the files and those made by tables. */
export function allScripts(): Script[] {
  const files = readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt'))
  return [
    ...files.sort().flatMap((name) => parseScripts(readFileSync(join(DIRECTORY, name), 'utf8'), name)),
    ...tables(),
  ]
}

/** Both servers; ended by `close`. */
export class SideBySide {
  #users = 0

  private constructor(
    readonly lab: Lab,
    readonly ours: Player,
    readonly cyrus: Player,
  ) {}

  /** @param namespace 'alt': altnamespace and unixhierarchysep, as by default; 'dots': neither; '': unixhierarchysep alone */
  static async start(namespace = ''): Promise<SideBySide> {
    const lab = await Lab.start(`side_by_side${namespace === '' ? '' : `_${namespace}`}.ini`)
    return new SideBySide(lab, new Player(lab.instance('ours')), new Player(lab.instance('cyrus')))
  }

  async close(): Promise<void> {
    this.ours.close()
    this.cyrus.close()
    await this.lab.stop()
  }

  /** Plays a conversation to both. */
  async compare(script: Script): Promise<Outcome & { raw: { ours: Answers[]; cyrus: Answers[] } }> {
    this.#users += 1
    const user = `u${String(this.#users).padStart(4, '0')}x`
    const [ours, cyrus] = await Promise.all([this.ours.play(script, user), this.cyrus.play(script, user)])
    const unordered = script.steps.map((step) => step.unordered)
    const left = normalize(ours, unordered, user)
    const right = normalize(cyrus, unordered, user)
    const differences: Difference[] = []
    const settled: Step[] = []
    const order = new ModseqOrder()
    script.steps.forEach((step, at) => {
      const [a, b] = [left[at]!, right[at]!]
      const alike = a.length === b.length && a.every((line, n) => sameLine(line, b[n]!))
      const same = alike && (step.unordered || order.agrees(modseqsOf(ours[at]!), modseqsOf(cyrus[at]!)))
      if (!same && step.reason === undefined) differences.push({ step, ours: a, cyrus: b })
      if (same && step.reason !== undefined) settled.push(step)
    })
    return { script, differences, settled, ours: left, raw: { ours, cyrus } }
  }
}

/** The namespaces under which conversations are played, as options after their names. */
export const NAMESPACES = ['', 'alt', 'dots'] as const

/** Whether a conversation is one for a namespace. */
export function isFor({ options }: Script, namespace: string): boolean {
  return namespace === '' ? !NAMESPACES.some((each) => options.has(each)) : options.has(namespace)
}

/** What differs, to be read. */
export function report({ script, differences, settled }: Outcome): string {
  const show = (answers: Answers) => answers.map((answer) => `      ${JSON.stringify(answer)}`).join('\n')
  return [
    ...differences.map(
      ({ step, ours, cyrus }) =>
        `${script.file}:${step.line}: ${script.name}\n    ${step.connection} ${step.command}\n    ours\n${show(ours)}\n    cyrus\n${show(cyrus)}`,
    ),
    ...settled.map((step) => `${script.file}:${step.line}: ${script.name}: no longer differs: ${step.reason}`),
  ].join('\n')
}

const [, program, ...files] = process.argv
if (program?.endsWith('/differential/compare.js')) {
  const verbose = files.includes('-v')
  const paths = files.filter((file) => file !== '-v')
  const scripts =
    paths.length > 0 ? paths.flatMap((file) => parseScripts(readFileSync(file, 'utf8'), file)) : allScripts()
  let wrong = 0
  for (const namespace of NAMESPACES) {
    const own = scripts.filter((script) => isFor(script, namespace))
    if (own.length === 0) continue
    const both = await SideBySide.start(namespace)
    try {
      for (const script of own) {
        const outcome = await both.compare(script)
        if (verbose)
          script.steps.forEach((step, at) => {
            process.stdout.write(`${step.connection} ${step.command}\n`)
            for (const line of outcome.raw.ours[at]!) process.stdout.write(`   O ${line}\n`)
            for (const line of outcome.raw.cyrus[at]!) process.stdout.write(`   C ${line}\n`)
          })
        const text = report(outcome)
        if (text !== '') process.stdout.write(`${text}\n`)
        wrong += text === '' ? 0 : 1
      }
    } finally {
      await both.close()
    }
  }
  process.stdout.write(`${scripts.length} conversations, ${wrong} differ\n`)
}
