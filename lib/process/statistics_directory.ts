/**
 * Where programs leave their figures as Prometheus text (`prometheus_stats_dir`), each in a file of its own, and reading them all together.
 * A program that has ended leaves its last figures behind.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../config/config.js'

/** Files and bytes of one that are read: more is not ours. */
const MOST_FILES = 64
const MOST_BYTES = 256 * 1024

export function statisticsDirectory(config: Config): string {
  return config.string('prometheus_stats_dir') || join(config.directory, 'stats')
}

/**
 * All reports but one, put together so that each metric is told of once.
 * @param except file name of the report that the caller has itself
 * @returns Prometheus' text format; '' if there is none. What cannot be read is left out.
 */
export async function readStatistics(directory: string, except: string): Promise<string> {
  const names = (await readdir(directory).catch(() => []))
    .filter((name) => name.endsWith('.txt') && name !== except)
    .sort()
    .slice(0, MOST_FILES)
  const metrics = new Map<string, string[]>()
  for (const name of names) {
    const path = join(directory, name)
    const found = await stat(path).catch(() => undefined)
    if (found === undefined || !found.isFile() || found.size > MOST_BYTES) continue
    let head = ''
    for (const line of (await readFile(path, 'utf8').catch(() => '')).split('\n')) {
      const comment = /^# (?:HELP|TYPE) ([A-Za-z_:][\w:]*) /.exec(line)
      const metric = comment?.[1] ?? /^([A-Za-z_:][\w:]*)(?:\{.*\})? \S+$/.exec(line)?.[1]
      if (metric === undefined) continue
      const lines = metrics.get(metric)
      if (lines === undefined) {
        metrics.set(metric, [line])
        head = metric
      } else if (comment === null || head === metric) lines.push(line)
    }
  }
  return [...metrics.values()].map((lines) => `${lines.join('\n')}\n`).join('')
}
