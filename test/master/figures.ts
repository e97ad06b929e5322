/** Master's report, read back. */
import { existsSync, readFileSync } from 'node:fs'
import type { Instance } from './instance.js'

/** `metric service/family` → value, the metric without `cyrus_master_`. @throws {Error} for what is no Prometheus text */
export function parseReport(text: string): Map<string, number> {
  const samples = new Map<string, number>()
  for (const line of text.split('\n')) {
    const match = /^cyrus_master_(\w+)\{service="(\w+)",family="(\w+)"\} (\S+)$/.exec(line)
    if (match !== null) samples.set(`${match[1]} ${match[2]}/${match[3]}`, Number(match[4]))
    else if (line !== '') {
      const comment = /^# (HELP cyrus_master_\w+ .+|TYPE cyrus_master_\w+ (gauge|counter))$/.test(line)
      if (!comment) throw new Error(`no Prometheus text: ${line}`)
    }
  }
  return samples
}

/** The figures of one service from the instance's file, which it writes every second with `prometheus_update_freq: 1s`; none before the first. */
export function statisticsOf(master: Instance, label: string): Record<string, number | undefined> {
  const path = master.path('conf/stats/master.txt')
  const figures: Record<string, number> = {}
  for (const [name, value] of existsSync(path) ? parseReport(readFileSync(path, 'utf8')) : []) {
    const [metric = '', service] = name.split(' ')
    if (service === label) figures[metric] = value
  }
  return figures
}
