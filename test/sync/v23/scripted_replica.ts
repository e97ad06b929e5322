/** A replica that expects certain commands and gives certain answers. Not a test. */
import net from 'node:net'
import { Connection } from '../../../lib/net/connection.js'
import { LineReader } from '../../../lib/sync/v23/line_reader.js'

/** A command that the client is to say, and what it is answered. */
export interface Step {
  readonly command: string
  readonly answer: string
}

/** Reads whole commands, with their literals. */
async function readCommand(reader: LineReader): Promise<string | null> {
  let command = ''
  for (;;) {
    const line = await reader.line()
    if (line === null) return command === '' ? null : command
    command += `${line}\r\n`
    const size = /\{(\d+)\+\}$/.exec(line)?.[1]
    if (size === undefined) return command
    command += (await reader.bytes(Number(size))).toString('latin1')
  }
}

export interface Replica {
  readonly port: number
  /** commands that were not what was expected, or did not come */
  readonly wrong: string[]
  expect(number: string, steps: Step[]): void
  close(): void
}

/**
 * Answers as it is told, as long as it is asked what it expects.
 * @param same whether a command is the expected one; a text says why it is not
 */
export async function replica(
  greeting: string,
  same: (number: string, said: string, wanted: string) => boolean | string = (_, said, wanted) => said === wanted,
): Promise<Replica> {
  const wrong: string[] = []
  let steps: Step[] = []
  let number = ''
  const server = net.createServer(async (socket) => {
    const connection = new Connection(socket, { idleTimeout: 30 })
    const reader = new LineReader(connection)
    connection.write(greeting)
    try {
      for (let command = await readCommand(reader); command !== null; command = await readCommand(reader)) {
        const wanted = steps.shift()
        const verdict = wanted !== undefined && same(number, command, wanted.command)
        if (verdict !== true) {
          const shown = (text = 'nothing'): string => JSON.stringify(text.slice(0, 1500))
          wrong.push(
            typeof verdict === 'string'
              ? `${number}: ${verdict}`
              : `${number}: said ${shown(command)}\n  instead of ${shown(wanted?.command)}`,
          )
          steps = []
          connection.destroy()
          return
        }
        connection.write(Buffer.from(wanted!.answer, 'latin1'))
        if (command === 'EXIT\r\n') connection.close()
      }
    } catch (error) {
      wrong.push(`${number}: ${(error as Error).message}`)
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as net.AddressInfo).port,
    wrong,
    expect(which, what) {
      for (const { command } of steps) wrong.push(`${number}: not said: ${JSON.stringify(command.slice(0, 200))}`)
      number = which
      steps = [...what]
    },
    close: () => void server.close(),
  }
}
