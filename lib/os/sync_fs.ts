/** syncfs(2): everything that was written to a file system so far is brought to disk, with one write of its journal. */
import { open } from 'node:fs/promises'
import { native } from './libc.js'

/**
 * Waits, on a thread of Node's pool, until the file system that holds a directory is on disk.
 * @throws {Error} if the directory cannot be opened, or the kernel reports a failed write
 */
export async function syncFileSystem(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await new Promise<void>((resolve, reject) => {
      native.syncfs().async(handle.fd, (error, result) => {
        if (error !== null) reject(error)
        else if (result < 0) reject(new Error(`syncfs ${directory} failed`))
        else resolve()
      })
    })
  } finally {
    await handle.close()
  }
}
