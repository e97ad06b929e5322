/** A client in IDLE that reads nothing while the mailbox changes again and again: it costs no memory, and catches up. */
import net from 'node:net'
import t from 'tap'
import { ImapClient } from '../lab/imap_client.js'
import { waitFor } from '../lab/wait.js'
import { fixture } from './fixture.js'

const MESSAGES = 1024
const ROUNDS = 40

t.test('changes are not piled up for a client that does not read', async (t) => {
  const { server } = await fixture(t)
  const writer = await ImapClient.connect(server.port)
  t.teardown(() => writer.close())
  await writer.ok('LOGIN alice testpw')
  await writer.ok('SELECT INBOX')
  await writer.append('INBOX', Buffer.from('Subject: x\r\n\r\n'))
  for (let count = 1; count < MESSAGES; count *= 2) await writer.ok('COPY 1:* INBOX')
  // long lists of flags make long answers
  const keywords = Array.from({ length: 10 }, (_, n) => `${n}${'k'.repeat(80)}`).join(' ')
  await writer.ok(`STORE 1:* +FLAGS.SILENT (${keywords})`)

  const idler = net.connect({ port: server.port, host: '127.0.0.1' })
  t.teardown(() => idler.destroy())
  let received = 0
  let end = ''
  let last = false
  idler.on('data', (chunk) => {
    received += chunk.length
    end += chunk.toString('latin1')
    last ||= end.includes(' last)')
    end = end.slice(-2000)
  })
  idler.write('1 LOGIN alice testpw\r\n2 SELECT INBOX\r\n3 IDLE\r\n')
  await waitFor('IDLE', () => end.includes('+ idling'))
  idler.pause()
  for (let round = 0; round < ROUNDS; round += 1)
    await writer.ok(`STORE 1:* ${round % 2 === 0 ? '+' : '-'}FLAGS.SILENT (\\Flagged)`)
  await writer.ok('STORE 1 +FLAGS.SILENT (last)')
  idler.resume()
  await waitFor('the last change', () => last)
  idler.write('DONE\r\n')
  await waitFor('the end of IDLE', () => end.includes('3 OK'))
  t.ok(received < (MESSAGES * ROUNDS * 800) / 2, `${received} bytes`)
})
