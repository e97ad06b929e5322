/**
 * Master's end of a service's status pipe: whole 8-byte records in, whatever pieces they come in. One pipe for each socket, shared by all its
 * processes; the write end stays open here, so that the pipe never ends.
 */
import { closeSync } from 'node:fs'
import net from 'node:net'
import { pipe } from '../lib/os/fd.js'
import { decodeStatus, RECORD_SIZE } from '../lib/process/status.js'

export class StatusPipe {
  /** the end that children get as descriptor 3; blocking, close-on-exec */
  readonly writeEnd: number
  readonly #reader: net.Socket
  #rest: Buffer = Buffer.alloc(0)
  #closed = false

  /** @param onRecord called for each record, in order */
  constructor(onRecord: (message: number, pid: number) => void, onError: (error: Error) => void) {
    const { readEnd, writeEnd } = pipe()
    this.writeEnd = writeEnd
    this.#reader = new net.Socket({ fd: readEnd, readable: true, writable: false })
    this.#reader.on('error', onError)
    this.#reader.on('data', (chunk: Buffer) => {
      const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
      let at = 0
      for (; at + RECORD_SIZE <= bytes.length; at += RECORD_SIZE) {
        const { message, pid } = decodeStatus(bytes, at)
        onRecord(message, pid)
      }
      this.#rest = bytes.subarray(at)
    })
    // A pipe to children must not keep master alive by itself once all is over.
    this.#reader.unref()
  }

  /** Gives both ends back. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    closeSync(this.writeEnd)
    this.#reader.destroy()
  }
}
