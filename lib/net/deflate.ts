/**
 * The DEFLATE layer of a connection (RFC 4978, and COMPRESS of the replication protocol): raw deflate without zlib's
 * header, both ways, every flush ending on a byte boundary that the peer can act upon.
 */
import type { Duplex } from 'node:stream'
import zlib from 'node:zlib'

export interface DeflateLayer {
  /** Plain bytes from the peer come out of here. */
  readonly inflate: zlib.InflateRaw
  /** Plain bytes for the peer go in here. */
  readonly deflate: zlib.DeflateRaw
}

/** Puts the layer over a stream. Errors of either half must be listened to by the caller. */
export function layerDeflate(stream: Duplex): DeflateLayer {
  const flush = { flush: zlib.constants.Z_SYNC_FLUSH, finishFlush: zlib.constants.Z_SYNC_FLUSH }
  const inflate = zlib.createInflateRaw(flush)
  const deflate = zlib.createDeflateRaw({ level: 6 })
  stream.pipe(inflate)
  deflate.pipe(stream)
  return { inflate, deflate }
}

/** Makes everything written so far leave; resolves when it has left the compressor (at once when the stream is closed). */
export function flushDeflate(deflate: zlib.DeflateRaw): Promise<void> {
  return new Promise((resolve) => {
    if (deflate.destroyed) {
      resolve()
      return
    }
    deflate.once('close', resolve)
    deflate.flush(zlib.constants.Z_SYNC_FLUSH, () => {
      deflate.off('close', resolve)
      resolve()
    })
  })
}
