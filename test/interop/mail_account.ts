/** A server of ours with a user whose mail real mail programs read and change, and a terminal for those that want one. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Lab } from '../lab/lab.js'
import { LmtpClient } from '../lab/lmtp_client.js'
import { sampleMessage } from '../lab/messages.js'

/** A server with one user who has so many messages, and a directory for the program's files. */
export async function mailAccount(t: Test, messages: number): Promise<{ lab: Lab; directory: string; port: number }> {
  const lab = await Lab.start('pair.ini', { users: ['alice'], rolling: false })
  t.teardown(() => lab.stop())
  await lab.createUsers()
  const lmtp = await LmtpClient.connect(lab.master.ports.lmtp)
  for (let n = 0; n < messages; n++) await lmtp.deliver(sampleMessage(n), 'alice')
  await lmtp.quit()
  const directory = mkdtempSync(join(tmpdir(), 'mail-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return { lab, directory, port: lab.master.ports.imap }
}

/** A program in a terminal of 120 columns, ended with the test. */
export class Terminal {
  readonly #socket: string

  /** @param command for the shell @param home of the program */
  constructor(
    t: Test,
    command: string,
    private readonly home: string,
  ) {
    this.#socket = join(home, 'tmux')
    this.#tmux('new-session', '-d', '-x', '120', '-y', '30', `LC_ALL=C.UTF-8 ${command}`)
    t.teardown(() => {
      try {
        this.#tmux('kill-server')
      } catch {
        // the program has ended, and tmux with it
      }
    })
  }

  /** What is to be seen. */
  get screen(): string {
    return this.#tmux('capture-pane', '-p')
  }

  /** @param keys as tmux names them; several are pressed one after the other */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys)
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], {
      encoding: 'utf8',
      env: { ...process.env, TERM: 'xterm', HOME: this.home },
    })
  }
}
