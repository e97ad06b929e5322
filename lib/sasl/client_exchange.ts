/** What a client's SASL mechanisms have in common: what they are given, what they look like, how they fail. */

/** What a client proves itself with. */
export interface ClientCredentials {
  readonly user: string
  readonly password: string
  /** realm to choose in DIGEST-MD5; the server's first one if unset */
  readonly realm?: string
  /** SASL service name, `csync` or `imap` */
  readonly service: string
  /** the server as we named it when connecting */
  readonly host: string
}

/** The server failed to prove itself, or sent something that is no part of the mechanism. */
export class ClientMechanismError extends Error {
  override name = 'ClientMechanismError'
}

/** One exchange in progress. */
export interface ClientMechanism {
  readonly name: string
  /** sent with the command; undefined if the server speaks first */
  readonly initial: Buffer | undefined
  /** @returns the response to a decoded challenge  @throws {ClientMechanismError} */
  step(challenge: Buffer): Promise<Buffer>
  /** Whether success may be believed now: mutual mechanisms must have seen the server's proof. */
  readonly complete: boolean
}
