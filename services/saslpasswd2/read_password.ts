/** Reads a password: a line of standard input, or asked for twice on a terminal without echo. */

/**
 * @param pipe read the first line of standard input and do not ask
 * @returns the password without its line end
 * @throws {Error} if two answers differ, or standard input ends first at a terminal
 */
export async function readPassword(pipe: boolean): Promise<string> {
  if (pipe) return firstLine()
  const password = await ask('Password: ')
  if ((await ask('Again (for verification): ')) !== password)
    throw new Error('passwords do not match; nothing was changed')
  return password
}

const LONGEST = 8192

async function firstLine(): Promise<string> {
  let text = Buffer.alloc(0)
  for await (const chunk of process.stdin) {
    text = Buffer.concat([text, chunk as Buffer])
    if (text.includes(0x0a) || text.length > LONGEST) break
  }
  return text.toString('utf8').split(/\r?\n/)[0]!
}

function ask(prompt: string): Promise<string> {
  const { stdin, stderr } = process
  stderr.write(prompt)
  stdin.setRawMode(true)
  stdin.setEncoding('utf8')
  stdin.resume()
  return new Promise((resolve, reject) => {
    let typed = ''
    const finish = (): void => {
      stdin.off('data', onData)
      stdin.setRawMode(false)
      stdin.pause()
      stderr.write('\n')
    }
    const onData = (text: string): void => {
      for (const key of text) {
        if (key === '\r' || key === '\n' || key === '\x04') {
          finish()
          resolve(typed)
          return
        }
        if (key === '\x03') {
          finish()
          reject(new Error('interrupted; nothing was changed'))
          return
        }
        if (key === '\x7f' || key === '\b') typed = [...typed].slice(0, -1).join('')
        else if (key === '\x15') typed = ''
        else if (key >= ' ') typed += key
      }
    }
    stdin.on('data', onData)
  })
}
