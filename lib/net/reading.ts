/** What can be read from a stream of bytes that comes in pieces: lines, literals, dot-stuffed data. */
import { DotDecoder } from './dot_stuffing.js'
import { ConnectionClosedError, LineTooLongError } from './errors.js'
import type { InputBuffer } from './input_buffer.js'

/** Takes bytes as they come; what it returns is waited for before more is read. */
export type Sink = (chunk: Buffer) => void | Promise<void>

/** Bytes that have come, and a way to wait for more. */
export interface Incoming {
  readonly buffer: InputBuffer
  /** No more will come. */
  readonly ended: boolean
  /** Why, if it was no proper end. */
  readonly error: Error | undefined
  /** Resolves when so many bytes are buffered in all, or no more will come. @throws {TimeoutError} */
  more(wanted: number): Promise<void>
  /** To be called when something was taken. */
  taken(): void
}

/** A complete line that is there already. @throws {LineTooLongError} the line is taken all the same */
export function takeLine(incoming: Incoming, maxLine: number): Buffer | undefined {
  const line = incoming.buffer.takeLine()
  if (line === undefined) return undefined
  incoming.taken()
  if (line.length > maxLine) throw new LineTooLongError(maxLine)
  return line
}

/** The next line; null at the end. @throws {LineTooLongError} the line was skipped; what `more` throws */
export async function readLine(incoming: Incoming, maxLine: number): Promise<Buffer | null> {
  for (;;) {
    const line = takeLine(incoming, maxLine)
    if (line !== undefined) return line
    if (incoming.buffer.length > maxLine + 1) {
      await skipLine(incoming)
      throw new LineTooLongError(maxLine)
    }
    if (incoming.ended) return null
    await incoming.more(incoming.buffer.length + 1)
  }
}

async function skipLine(incoming: Incoming): Promise<void> {
  const { buffer } = incoming
  for (;;) {
    const lf = buffer.indexOfLf()
    if (lf === -1) buffer.clear()
    else buffer.take(lf + 1)
    incoming.taken()
    if (lf !== -1 || incoming.ended) return
    await incoming.more(1)
  }
}

/** Exactly n bytes. @throws {ConnectionClosedError}; what `more` throws */
export async function readBytes(incoming: Incoming, n: number): Promise<Buffer> {
  const { buffer } = incoming
  while (buffer.length < n) {
    if (incoming.ended) throw new ConnectionClosedError(`${n - buffer.length} bytes before the end`, incoming.error)
    await incoming.more(n)
  }
  const bytes = buffer.take(n)
  incoming.taken()
  return bytes
}

/** One chunk of what has come; waits only when there is none; empty at the end. @throws what `more` throws */
export async function readSome(incoming: Incoming): Promise<Buffer> {
  for (;;) {
    const chunk = incoming.buffer.takeUpTo(Number.MAX_SAFE_INTEGER)
    if (chunk.length > 0) incoming.taken()
    if (chunk.length > 0 || incoming.ended) return chunk
    await incoming.more(1)
  }
}

/** Exactly n bytes, piece by piece. @throws {ConnectionClosedError}; what `more` and the sink throw */
export async function readStream(incoming: Incoming, n: number, sink: Sink): Promise<void> {
  let left = n
  while (left > 0) {
    const chunk = incoming.buffer.takeUpTo(left)
    if (chunk.length === 0) {
      if (incoming.ended) throw new ConnectionClosedError(`${left} bytes before the end`, incoming.error)
      await incoming.more(1)
      continue
    }
    incoming.taken()
    left -= chunk.length
    const pending = sink(chunk)
    if (pending) await pending
  }
}

/** Data up to its "." line. @throws {ConnectionClosedError}; what `more` and the sink throw */
export async function readDotStuffed(
  incoming: Incoming,
  sink: Sink,
  limit: number,
): Promise<{ tooBig: boolean; size: number }> {
  const decoder = new DotDecoder()
  let size = 0
  for (;;) {
    const chunk = decoder.next(incoming.buffer)
    if (decoder.done) return { tooBig: limit > 0 && size > limit, size }
    if (chunk === undefined) {
      if (incoming.ended) throw new ConnectionClosedError('before the end of the data', incoming.error)
      incoming.taken()
      await incoming.more(incoming.buffer.length + 1)
      continue
    }
    size += chunk.length
    if (limit > 0 && size > limit) continue
    const pending = sink(chunk)
    if (pending) await pending
  }
}
