/**
 * What can go wrong with a conversation that its caller tells apart. A peer that simply ends the stream between
 * two lines is no error (readLine gives null).
 */

/** The peer sent a line longer than the connection's limit. The rest of that line has been read and thrown away. */
export class LineTooLongError extends Error {
  constructor(limit: number) {
    super(`line longer than ${limit} bytes`)
    this.name = 'LineTooLongError'
  }
}

/** Nothing came from the peer, or nothing was taken by it, for the connection's idle time. */
export class TimeoutError extends Error {
  constructor(seconds: number) {
    super(`idle for ${seconds} seconds`)
    this.name = 'TimeoutError'
  }
}

/** The stream ended inside something that had begun (a literal, dot-stuffed data), or an answer can no longer be sent. */
export class ConnectionClosedError extends Error {
  constructor(where: string, cause?: Error) {
    super(cause ? `connection lost ${where}: ${cause.message}` : `connection closed ${where}`, { cause })
    this.name = 'ConnectionClosedError'
  }
}
