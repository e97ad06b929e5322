/** A server and a conversation with it, gone with the test. */
import fs from 'node:fs'
import type { Test } from 'tap'
import { Conversation } from './conversation.js'
import { startServer, type TestServer, temporaryDirectory } from './server.js'

export async function fixture(t: Test, extra = ''): Promise<{ server: TestServer; conversation: Conversation }> {
  const directory = temporaryDirectory()
  const server = await startServer(directory, extra)
  const conversation = new Conversation(t, server.port)
  t.teardown(async () => {
    await server.close()
    fs.rmSync(directory, { recursive: true, force: true })
    if (server.errors.length > 0) throw new Error(`logged as errors:\n${server.errors.join('\n')}`)
  })
  return { server, conversation }
}

export const LOGIN = `
  A> l LOGIN alice testpw
  A< l OK [CAPABILITY …] User logged in SESSIONID=<…>`
