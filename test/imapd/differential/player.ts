/** Plays conversations to one server and keeps what it answered. */
import { once } from 'node:events'
import net from 'node:net'
import { ADMIN, type Instance } from '../../lab/instance.js'
import { CORPUS } from './corpus.js'
import type { Script, Step } from './script.js'

/** What one step was answered: untagged lines, then the tagged one (or `+ …`, or `EOF`), literals in them, latin1. */
export type Answers = string[]

const PATIENCE_MS = 20_000

/** One connection: whole answers, one after the other. */
class Wire {
  #data = Buffer.alloc(0)
  #from = 0
  #ended = false
  #wake: (() => void) | undefined
  #tags = 0
  /** tag of a command that waits for more from the client (IDLE) */
  open: string | undefined

  constructor(readonly socket: net.Socket) {
    socket.setNoDelay(true)
    socket.on('data', (chunk) => {
      this.#data = Buffer.concat([this.#data.subarray(this.#from), chunk])
      this.#from = 0
      this.#wake?.()
    })
    const end = () => {
      this.#ended = true
      this.#wake?.()
    }
    socket.on('end', end)
    socket.on('error', end)
    socket.on('close', end)
  }

  static async open(port: number): Promise<Wire> {
    const socket = net.connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    const wire = new Wire(socket)
    await wire.next()
    return wire
  }

  nextTag(): string {
    this.#tags += 1
    return `t${this.#tags}`
  }

  write(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'))
  }

  async next(): Promise<string> {
    for (;;) {
      const end = this.#complete()
      if (end > 0) {
        const answer = this.#data.toString('latin1', this.#from, end - 2)
        this.#from = end
        return answer
      }
      if (this.#ended) return 'EOF'
      const late = setTimeout(() => {
        this.#ended = true
        this.#wake?.()
      }, PATIENCE_MS)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      clearTimeout(late)
    }
  }

  /** Where the answer at hand ends; 0 while it is not whole. */
  #complete(): number {
    let from = this.#from
    for (;;) {
      const lf = this.#data.indexOf('\r\n', from)
      if (lf === -1) return 0
      const literal = /\{(\d+)\}$/.exec(this.#data.toString('latin1', Math.max(from, lf - 14), lf))
      if (!literal) return lf + 2
      from = lf + 2 + Number(literal[1])
      if (from > this.#data.length) return 0
    }
  }
}

/** Sends a command and reads up to its tagged answer, or to where it waits for more. */
async function exchange(wire: Wire, command: string): Promise<Answers> {
  const answers: Answers = []
  const pieces = command.split(/(?<=\{\d+\}\r\n)/)
  let tag = wire.open
  if (tag === undefined) {
    tag = wire.nextTag()
    pieces[0] = `${tag} ${pieces[0]}`
  }
  wire.open = undefined
  pieces[pieces.length - 1] += '\r\n'
  wire.write(pieces.shift()!)
  for (;;) {
    const answer = await wire.next()
    answers.push(answer.replace(`${tag} `, 'tag '))
    if (answer === 'EOF' || answer.startsWith(`${tag} `)) return answers
    if (!answer.startsWith('+')) continue
    const piece = pieces.shift()
    if (piece !== undefined) wire.write(piece)
    else {
      wire.open = tag
      return answers
    }
  }
}

async function mustBeOk(wire: Wire, command: string): Promise<void> {
  const answers = await exchange(wire, command)
  if (!/^tag OK/.test(answers.at(-1)!)) throw new Error(`${command.slice(0, 60)}: ${answers.at(-1)}`)
}

/** A server that conversations are played to. */
export class Player {
  #admin: Wire | undefined
  /** the last user being made: the administrator's connection does one thing at a time */
  #making: Promise<void> = Promise.resolve()

  constructor(readonly instance: Instance) {}

  /** @param user the conversation's own; made here  @returns the answers of every step */
  async play(script: Script, user: string): Promise<Answers[]> {
    this.#making = this.#making.then(() => this.#makeUser(user))
    await this.#making
    const wires = new Map<string, Wire>()
    const kept = new Map<string, string>([['user', user]])
    const answered: Answers[] = []
    try {
      if (script.options.has('corpus')) {
        const wire = await this.#login(user)
        for (const { message, options } of CORPUS)
          await mustBeOk(wire, `APPEND INBOX ${options} {${message.length}+}\r\n${message}`)
        await mustBeOk(wire, 'SELECT INBOX') // takes \Recent
        await mustBeOk(wire, 'LOGOUT')
        wire.socket.destroy()
      }
      for (const step of script.steps) {
        let wire = wires.get(step.connection)
        if (!wire) {
          wire =
            step.connection === 'X'
              ? await this.#login('')
              : await this.#login(step.connection === 'Z' ? ADMIN.user : user)
          wires.set(step.connection, wire)
        }
        const answers = await exchange(wire, expand(step, kept))
        answered.push(answers)
        for (const { name, pattern } of step.captures) {
          const found = pattern.exec(answers.join('\n'))
          kept.set(name, found?.[1] ?? found?.[0] ?? 'NOTHING')
        }
      }
    } finally {
      for (const { socket } of wires.values()) socket.destroy()
    }
    return answered
  }

  async #makeUser(user: string): Promise<void> {
    if (!this.#admin) {
      this.#admin = await Wire.open(this.instance.ports.imap)
      await mustBeOk(this.#admin, `LOGIN ${ADMIN.user} ${ADMIN.password}`)
    }
    const separator = this.instance.plan.imapd.unixhierarchysep === 'no' ? '.' : '/'
    await mustBeOk(this.#admin, `CREATE user${separator}${user}`)
  }

  close(): void {
    this.#admin?.socket.destroy()
  }

  /** As that user, by the administrator's authority, so that nobody needs a password; as nobody for ''. */
  async #login(user: string): Promise<Wire> {
    const wire = await Wire.open(this.instance.ports.imap)
    if (user === '') return wire
    const proof = Buffer.from(`${user}\0${ADMIN.user}\0${ADMIN.password}`).toString('base64')
    await mustBeOk(wire, `AUTHENTICATE PLAIN ${proof}`)
    return wire
  }
}

function expand(step: Step, kept: ReadonlyMap<string, string>): string {
  return step.command.replace(/\$(\w+)/g, (whole, name: string) => kept.get(name) ?? whole)
}
