/** What goes wrong with a replica: the connection is of no use any more, or a command was refused. */

/** The replica cannot be reached, has gone away, or does not speak the protocol: nothing more can be said on this connection. */
export class PeerGoneError extends Error {
  override name = 'PeerGoneError'
}

/** A command was refused; `code` is the word after NO, '' if it is none of the known form. */
export class PeerRefusalError extends Error {
  override name = 'PeerRefusalError'
  constructor(
    readonly command: string,
    readonly code: string,
    text: string,
  ) {
    super(`${command}: ${text}`)
  }
}
