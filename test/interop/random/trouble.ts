/** What goes wrong with a replicated pair at random moments: cut or silent connections, killed processes, machines without power. Not a test. */
import type { Instance } from '../../lab/instance.js'
import type { Lab } from '../../lab/lab.js'
import type { Choice } from './choice.js'
import type { WireCutter } from './wire_cutter.js'

/** Makes trouble, one after the other. */
export class Trouble {
  /** how often each kind was made */
  readonly made = new Map<string, number>()
  #last: Promise<void> = Promise.resolve()

  constructor(
    readonly lab: Lab,
    readonly wire: WireCutter,
    readonly choice: Choice,
  ) {}

  /** Begins one more when the last is over. */
  next(): void {
    const kind = this.choice.weighted<() => string | Promise<string>>([
      [3, () => `cut ${this.wire.cut() > 0 ? '' : 'nothing'}`],
      [1, () => `silence ${this.wire.silence() > 0 ? '' : 'nothing'}`],
      [3, () => this.#power(this.lab.replica)],
      [3, () => this.#power(this.lab.master)],
      [2, () => this.#kill(this.lab.master, 'sync_client')],
      [2, () => this.#kill(this.lab.replica, 'sync_server')],
      [1, () => this.#kill(this.lab.master, 'imapd')],
      [1, () => this.#kill(this.lab.master, 'lmtpd')],
    ])
    this.#last = this.#last.then(kind).then((name) => {
      const trimmed = name.trim()
      this.made.set(trimmed, (this.made.get(trimmed) ?? 0) + 1)
    })
  }

  /** Resolves when the last is over and everything runs. @throws if a machine does not come back */
  over(): Promise<void> {
    return this.#last
  }

  async #power(instance: Instance): Promise<string> {
    await instance.crash()
    await instance.start()
    return `${instance.name} without power`
  }

  #kill(instance: Instance, program: string): string {
    const pids = instance.processes(program)
    if (pids.length === 0) return `no ${program} to kill`
    try {
      process.kill(this.choice.of(pids), 'SIGKILL')
    } catch {
      // ended by itself
    }
    return `${program} killed`
  }
}
