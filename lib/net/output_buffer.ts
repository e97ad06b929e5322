/**
 * Answers that wait to be sent together. Small pieces are copied into one chunk, large ones are kept as they are, so
 * that a thousand short lines become few writes and a message is not copied. Empty, it holds no memory. Pure.
 */
const FIRST_CHUNK = 1024
const NEXT_CHUNK = 32 * 1024
const COPY_BELOW = 4 * 1024
const SHORT = 96

export class OutputBuffer {
  #ready: Buffer[] = []
  #chunk: Buffer | undefined
  /** bytes of the chunk that are taken, and how many of those are ready */
  #used = 0
  #sealed = 0
  #length = 0

  /** Bytes waiting. */
  get length(): number {
    return this.#length
  }

  /** @param data text is sent as UTF-8; a Buffer of 4 KiB or more is kept by reference and must not change any more */
  add(data: Buffer | string): void {
    if (typeof data === 'string') {
      const most = data.length * 3
      if (data.length <= SHORT && this.#addAscii(data)) return
      if (most >= COPY_BELOW) {
        this.add(Buffer.from(data, 'utf8'))
        return
      }
      const written = this.#room(most).write(data, this.#used, 'utf8')
      this.#used += written
      this.#length += written
      return
    }
    this.#length += data.length
    if (data.length >= COPY_BELOW) {
      this.#seal()
      this.#ready.push(data)
      return
    }
    data.copy(this.#room(data.length), this.#used)
    this.#used += data.length
  }

  /** Adds a copy of some bytes, for those that will not last. */
  addCopy(data: Buffer, start: number, end: number): void {
    data.copy(this.#room(end - start), this.#used, start, end)
    this.#used += end - start
    this.#length += end - start
  }

  /** Adds a text of which each character is one byte. */
  addLatin1(text: string): void {
    const { length } = text
    const room = this.#room(length)
    if (length <= SHORT) for (let n = 0; n < length; n += 1) room[this.#used + n] = text.charCodeAt(n)
    else room.write(text, this.#used, 'latin1')
    this.#used += length
    this.#length += length
  }

  /** Characters one by one: for short texts that is quicker than a call of Node's. @returns false, having added nothing, if one is not ASCII */
  #addAscii(text: string): boolean {
    const { length } = text
    const room = this.#room(length)
    let at = this.#used
    for (let n = 0; n < length; n += 1) {
      const code = text.charCodeAt(n)
      if (code > 127) return false
      room[at++] = code
    }
    this.#used = at
    this.#length += length
    return true
  }

  /** Everything in order, leaving nothing. */
  takeAll(): Buffer[] {
    this.#seal()
    const all = this.#ready
    this.#ready = []
    this.#chunk = undefined
    this.#length = 0
    return all
  }

  #room(bytes: number): Buffer {
    if (this.#chunk && this.#chunk.length - this.#used >= bytes) return this.#chunk
    const first = this.#chunk === undefined && this.#ready.length === 0
    this.#seal()
    this.#chunk = Buffer.allocUnsafe(Math.max(first ? FIRST_CHUNK : NEXT_CHUNK, bytes))
    this.#sealed = 0
    this.#used = 0
    return this.#chunk
  }

  /** What is in the chunk is ready; behind it there is room still. */
  #seal(): void {
    if (this.#chunk && this.#used > this.#sealed) this.#ready.push(this.#chunk.subarray(this.#sealed, this.#used))
    this.#sealed = this.#used
  }
}
