/** What is wrong with a client's line, and where. */
export class ImapSyntaxError extends Error {
  /**
   * @param problem as Cyrus words it  @param column of the command line, counted from 1  @param detail what was wanted there
   */
  constructor(
    readonly problem: string,
    readonly column: number,
    readonly detail = '',
  ) {
    super(`${problem} at column ${column}${detail ? `: ${detail}` : ''}`)
    this.name = 'ImapSyntaxError'
  }
}
