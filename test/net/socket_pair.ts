/** Two connected TCP sockets of this process, for tests over the real thing. Closed by the test's teardown. */
import net from 'node:net'
import type { Test } from 'tap'

export async function socketPair(t: Test): Promise<{ server: net.Socket; client: net.Socket }> {
  const listener = net.createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as net.AddressInfo
  const accepted = new Promise<net.Socket>((resolve) => listener.once('connection', resolve))
  const client = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  client.on('error', () => undefined)
  const server = await accepted
  listener.close()
  t.teardown(() => {
    client.destroy()
    server.destroy()
  })
  return { server, client }
}

/** Resolves with all that comes from a socket until its end. */
export async function readAll(socket: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
