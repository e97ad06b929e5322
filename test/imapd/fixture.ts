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

/** SELECT of an INBOX of one's own, its answers in whole. */
export const SELECT = `
  A> s SELECT INBOX
  A< * … EXISTS
  A< * … RECENT
  A< * FLAGS (…)
  A< * OK [PERMANENTFLAGS …
  A< * OK [UNSEEN …
  A< * OK [UIDVALIDITY …
  A< * OK [UIDNEXT …
  A~ s OK [READ-WRITE] Completed`

/** The same by a second session of the same user. */
export const LOGIN_B = `
  B> l LOGIN alice testpw
  B< l OK …${SELECT.replace(/A(?=[<>~])/g, 'B')}`

/** The same without an unread message. */
export const SELECT_ALL_SEEN = SELECT.replace(/.*UNSEEN.*\n/, '')

/** A small message as a literal. */
export const HI = '{37+}\\r\\nSubject: hi\\r\\nFrom: a@b.c\\r\\n\\r\\nbody line'
