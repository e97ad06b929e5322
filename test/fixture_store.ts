/** A throw-away store with its configuration, for tests of what stands on it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Config } from '../lib/config/config.js'
import type { Logger } from '../lib/process/log.js'
import { MailStore } from '../lib/store/store.js'

/** A log that says nothing. */
export const silent: Logger = { debug() {}, info() {}, notice() {}, warning() {}, error() {} }

/**
 * Opens a store that goes away with the test. The replication log is written to {directory}/conf/sync/log.
 * @param extra more lines of imapd.conf
 */
export async function storeFixture(
  t: Test,
  extra = '',
): Promise<{ store: MailStore; directory: string; config: Config }> {
  const directory = mkdtempSync(join(tmpdir(), 'store-'))
  const path = join(directory, 'imapd.conf')
  const lines = [
    `configdirectory: ${directory}/conf`,
    `partition-default: ${directory}/spool`,
    `partition-other: ${directory}/other`,
  ]
  writeFileSync(path, [...lines, 'store_map_size: 1g', 'sync_log: yes', extra, ''].join('\n'))
  const config = Config.load(path)
  const store = await MailStore.open(config, silent)
  t.teardown(async () => {
    await store.close()
    rmSync(directory, { recursive: true, force: true })
  })
  return { store, directory, config }
}
