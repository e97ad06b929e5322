/**
 * Rolling: mailboxes are indexed soon after the replication log has named them. What the log named is gone from it only when it is indexed, so
 * a squatter that is killed leaves nothing out.
 */
import { watch } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Config } from '../../lib/config/config.js'
import { watchMaster } from '../../lib/process/master_watch.js'
import { syncLogChannels } from '../../lib/store/sync_log.js'
import { LogFiles } from '../../lib/sync/log_file.js'
import { namesInLog } from './log_names.js'
import type { Squatter } from './run.js'

/** The log is looked for this often even if no notice of it came, ms. */
const LOOK_EVERY = 10_000
/** After a round others may add to the log for so long: a burst of deliveries makes one entry of the index, not hundreds. */
const GATHER = 1000

/**
 * Rolls until told to stop.
 * @param ready called when the work begins
 * @returns false if it cannot be done as imapd.conf stands
 */
export async function roll(squatter: Squatter, config: Config, ready: (() => void) | undefined): Promise<boolean> {
  const { store, log, line, stopping } = squatter
  if (!syncLogChannels(config, false).includes(line.channel)) {
    squatter.complain(`nothing is logged for channel ${line.channel}: set sync_log, and name it in sync_log_channels`)
    return false
  }
  const files = new LogFiles(config.directory, line.channel)
  ready?.()
  watchMaster(() => {
    log.notice('master is gone; leaving')
    squatter.stop()
  })
  if (!(await files.claim())) {
    log.warning(`another process works on channel ${line.channel}; waiting for it to end`)
    stopping.addEventListener('abort', () => process.exit(0))
    await files.waitForClaim()
  }
  const bell = new Bell()
  stopping.addEventListener('abort', () => bell.ring())
  const watcher = watch(files.directory, { persistent: false }, () => bell.ring())
  watcher.on('error', (error) => log.warning(`cannot watch ${files.directory}: ${error.message}`))
  /** mailboxes that another process was filling */
  let later = new Set<string>()
  while (!stopping.aborted) {
    const taken = await files.take()
    if (taken === undefined && later.size === 0) {
      await bell.wait(LOOK_EVERY)
      continue
    }
    const names = new Set([...later, ...namesInLog(store, taken?.lines ?? [])])
    later = new Set()
    store.refresh()
    for (const name of names) {
      if (stopping.aborted) break
      const mailbox = store.mailbox(name)
      try {
        if (mailbox && !(await squatter.index(mailbox))) later.add(name)
      } catch (error) {
        log.error(`${name}: ${(error as Error).message}`)
      }
    }
    if (stopping.aborted) break
    if (taken !== undefined) files.done()
    await sleep(GATHER, undefined, { signal: stopping }).catch(() => {})
  }
  watcher.close()
  return true
}

/** Something to wait for that may happen before one waits. */
class Bell {
  #rung = false
  #wake: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves when it is rung, or was since the last time, or after so many ms. */
  async wait(ms: number): Promise<void> {
    if (!this.#rung) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    this.#rung = false
    this.#wake = undefined
  }
}
