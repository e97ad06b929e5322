/** Reading small files, and pieces of others, with as few calls as it takes. */
import { close, closeSync, open, openSync, read, readSync } from 'node:fs'

/** Milliseconds after which a read is suspected of having waited for the disk, or known to have; and for how long the disk then counts as slow. */
const SUSPECT = 3
const SLOW = 100
const SLOW_FOR = 250
/** Larger files are read by threads whatever the disk does. */
const AT_ONCE = 64 * 1024

let slowUntil = 0
/** how often this process had waited for a disk when last asked */
let diskReads = process.resourceUsage().fsRead

/** Notes how long a read took: a busy machine makes it long as well, and is no reason to leave reading to threads, which wait for it too. */
function judge(took: number, now: number): void {
  if (took <= SUSPECT) return
  const { fsRead } = process.resourceUsage()
  if (fsRead !== diskReads || took > SLOW) slowUntil = now + SLOW_FOR
  diskReads = fsRead
}

/**
 * The first `size` bytes of a file. What the kernel has in memory is read at once, in a third of the time that it takes to hand it
 * to a thread and back; when a read shows that the disk had to be asked, the next ones are left to threads, so that nobody waits for it.
 * @returns fewer bytes if the file is shorter  @throws the file system's error
 */
export function readKnown(path: string, size: number): Promise<Buffer> {
  const begun = performance.now()
  if (size > AT_ONCE || begun < slowUntil) return readByThread(path, size)
  try {
    const bytes = readAtOnce(path, size)
    const ended = performance.now()
    judge(ended - begun, ended)
    return Promise.resolve(bytes)
  } catch (error) {
    return Promise.reject(error)
  }
}

/** Fills a buffer from a place in an open file, at once or by a thread as `readKnown` does. @returns bytes read: fewer only at the file's end */
export async function readPiece(fd: number, into: Buffer, position: number): Promise<number> {
  let filled = 0
  for (let length = -1; length !== 0 && filled < into.length; filled += length) {
    const begun = performance.now()
    const rest = into.length - filled
    if (begun >= slowUntil) {
      length = readSync(fd, into, filled, rest, position + filled)
      const ended = performance.now()
      judge(ended - begun, ended)
    } else {
      length = await new Promise<number>((resolve, reject) =>
        read(fd, into, filled, rest, position + filled, (error, got) => (error ? reject(error) : resolve(got))),
      )
    }
  }
  return filled
}

function readAtOnce(path: string, size: number): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = Buffer.allocUnsafe(size)
    return bytes.subarray(0, readSync(fd, bytes, 0, size, 0))
  } finally {
    closeSync(fd)
  }
}

/** In half the time that fs/promises takes. */
function readByThread(path: string, size: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    open(path, 'r', (failed, fd) => {
      if (failed) {
        reject(failed)
        return
      }
      const bytes = Buffer.allocUnsafe(size)
      read(fd, bytes, 0, size, 0, (error, length) => {
        close(fd, () => undefined)
        if (error) reject(error)
        else resolve(bytes.subarray(0, length))
      })
    })
  })
}
