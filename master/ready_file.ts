/**
 * The ready file (`-r`, `master_ready_file`): there while master is ready for work, so that scripts need not guess (Cyrus 3.10 and later).
 */
import { closeSync, openSync, rmSync } from 'node:fs'

/** The ready file cannot be made. Exit status 71. */
export class ReadyFileError extends Error {}

export class ReadyFile {
  #created = false

  constructor(readonly path: string) {
    // what a killed master left behind says nothing about this one
    this.#unlink()
  }

  /** @throws {ReadyFileError} */
  create(): void {
    try {
      closeSync(openSync(this.path, 'w', 0o644))
      this.#created = true
    } catch (error) {
      throw new ReadyFileError(`cannot create ready file: ${(error as Error).message}`)
    }
  }

  remove(): void {
    if (this.#created) this.#unlink()
  }

  #unlink(): void {
    try {
      rmSync(this.path, { force: true })
    } catch {
      // create() will say what is wrong
    }
  }
}
