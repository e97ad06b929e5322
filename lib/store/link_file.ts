/** Giving a message file its name in a mailbox. */
import { linkSync, mkdirSync, unlinkSync } from 'node:fs'
import { dirname } from 'node:path'

/** Links a file under its final name. A file that stands there belongs to no record (its commit never happened) and gives way. */
export function linkFile(source: string, target: string): void {
  try {
    linkSync(source, target)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      unlinkSync(target)
      linkSync(source, target)
    } else if (code === 'ENOENT') {
      // the mailbox's directory may be missing on a partition that was restored; the source may be gone
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
      linkSync(source, target)
    } else {
      throw error
    }
  }
}
