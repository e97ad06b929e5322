/** Memory of processes as the kernel shares it out: PSS counts a page that n processes map as 1/n in each. */
import { readFileSync } from 'node:fs'

/** PSS of a process in KiB; 0 if it is gone. */
export function pss(pid: number): number {
  try {
    return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
