/**
 * A service that does as it is told over its connection, a word a line, for the tests of lib/process and master:
 * `pid`, `echo TEXT`, `user NAME`, `mailbox NAME`, `command NAME`, `log TEXT`, `env NAME`, `fds` (which descriptors below 64 are open), `hang` (never ends by itself), `reject` (the
 * handler fails), `throw` (the process fails), `exit N`, `kill SIGNAL`, `quit`. Says `hello PID` first and `bye` when told to stop.
 */
import { readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { runService } from '../../../lib/process/service.js'

runService({
  program: 'testd',
  usage: 'usage: testd [-C FILE] [-e TEXT]\n',
  options: 'e:f:',
  connections: 4,
  async start({ options, log, onStop }) {
    const fail = options.get('f')
    if (fail !== undefined) process.exit(Number(fail))
    onStop(async () => log.info('stopped'))
    return async (socket, session) => {
      const { stopping } = session
      const say = (text: string): boolean => socket.write(`${text}\r\n`)
      say(`hello ${process.pid}`)
      const lines = createInterface({ input: socket })
      lines.on('error', () => undefined)
      const bye = (): void => {
        say('bye')
        socket.end()
        lines.close()
      }
      let hanging = false
      stopping.addEventListener('abort', () => hanging || bye(), { once: true })
      for await (const line of lines) {
        const [word, ...rest] = line.split(' ')
        const text = rest.join(' ')
        if (word === 'pid') say(String(process.pid))
        else if (word === 'echo') say(text)
        else if (word === 'option') say(String(options.get('e')))
        else if (word === 'session') say(session.id)
        else if (word === 'user') {
          session.setUser(text)
          say('ok')
        } else if (word === 'mailbox' || word === 'command') {
          if (word === 'mailbox') session.setMailbox(text)
          else session.setCommand(text)
          say('ok')
        } else if (word === 'log') {
          session.log.notice(text)
          say('ok')
        } else if (word === 'env') say(process.env[text] ?? '-')
        else if (word === 'fds') say(readdirSync('/proc/self/fd').join(' '))
        else if (word === 'hang') {
          hanging = true
          say('hanging')
          await new Promise(() => undefined)
        } else if (word === 'reject') throw new Error('told to')
        else if (word === 'throw') {
          setImmediate(() => {
            throw new Error('told to')
          })
        } else if (word === 'exit') process.exit(Number(text))
        else if (word === 'kill') process.kill(process.pid, text as NodeJS.Signals)
        else if (word === 'quit') break
      }
    }
  },
})
