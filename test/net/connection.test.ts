import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Connection, ConnectionClosedError, LineTooLongError, TimeoutError } from '../../lib/net/connection.js'
import { readAll, socketPair } from './socket_pair.js'

const text = (line: Buffer | null | undefined) => (line ? line.toString('latin1') : line)

t.test('lines come whole however they were split', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  const first = connection.readLine()
  for (const byte of 'a NOOP\r\nb') {
    client.write(byte)
    await turn()
  }
  t.equal(text(await first), 'a NOOP')
  client.write(' LIST "" *\nc LOGOUT\r')
  t.equal(text(await connection.readLine()), 'b LIST "" *', 'bare LF ends a line too')
  client.write('\nlast without end')
  t.equal(text(await connection.readLine()), 'c LOGOUT')
  client.end()
  t.equal(await connection.readLine(), null, 'end of stream, the unfinished line dropped')
})

t.test('pipelined lines are there without waiting', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  client.write('one\r\n\r\ntwo\r\nthr')
  t.equal(text(await connection.readLine()), 'one')
  t.equal(text(connection.tryReadLine()), '')
  t.equal(text(connection.tryReadLine()), 'two')
  t.equal(connection.tryReadLine(), undefined)
  t.equal(connection.buffered, 3)
  client.write('ee\r\n')
  t.equal(text(await connection.readLine()), 'three')
})

t.test('a line too long is refused, skipped, and the next one is fine', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server, { maxLine: 100 })
  client.write(`${'x'.repeat(100)}\r\n`)
  t.equal((await connection.readLine())?.length, 100, 'the limit itself is allowed')
  client.write(`${'x'.repeat(101)}\r\nshort\r\n`)
  await t.rejects(connection.readLine(), new LineTooLongError(100))
  t.equal(text(await connection.readLine()), 'short')
  const refused = connection.readLine()
  for (let i = 0; i < 50; i += 1) client.write('y'.repeat(1000))
  client.write('\r\nagain\r\n')
  await t.rejects(refused, LineTooLongError)
  t.equal(text(await connection.readLine()), 'again')
})

t.test('literals across chunks, held and streamed', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  const body = Buffer.alloc(1_000_000, 'line of a message\r\n')
  client.write('a APPEND {5+}\r\nhel')
  t.equal(text(await connection.readLine()), 'a APPEND {5+}')
  const five = connection.readBytes(5)
  await turn()
  client.write('lo {1000000}\r\n')
  t.equal(text(await five), 'hello')
  t.equal(text(await connection.readLine()), ' {1000000}')
  client.write(body)
  client.write('\r\nb NOOP\r\n')
  const got: Buffer[] = []
  let inSink = 0
  await connection.readStream(body.length, async (chunk) => {
    t.equal(inSink, 0, 'one chunk at a time')
    inSink += 1
    await turn()
    inSink -= 1
    got.push(Buffer.from(chunk))
  })
  t.ok(Buffer.concat(got).equals(body))
  t.equal(text(await connection.readLine()), '')
  t.equal(text(await connection.readLine()), 'b NOOP')
})

t.test('the stream ends in the middle', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  client.end('{10}\r\nfour')
  t.equal(text(await connection.readLine()), '{10}')
  await t.rejects(connection.readBytes(10), new ConnectionClosedError('6 bytes before the end'))
  await t.rejects(
    connection.readStream(10, () => undefined),
    new ConnectionClosedError('6 bytes before the end'),
  )
  t.equal(await connection.readLine(), null)
})

t.test('answers after the peer has ended its side still arrive', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  client.end('a LOGOUT\r\n')
  t.equal(text(await connection.readLine()), 'a LOGOUT')
  t.equal(await connection.readLine(), null)
  connection.write('* BYE\r\n')
  connection.write('a OK\r\n')
  connection.close()
  t.equal((await readAll(client)).toString(), '* BYE\r\na OK\r\n')
  t.equal(connection.closed, true)
})

t.test('a reader that stops reading bounds what we buffer', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  const total = 32 * 1024 * 1024
  client.write(Buffer.alloc(total, 'z'))
  let before = -1
  while (before !== connection.buffered || before === 0) {
    before = connection.buffered
    for (let i = 0; i < 20; i += 1) await turn()
  }
  t.ok(before < 1024 * 1024, `${before} bytes buffered`)
  let seen = 0
  await connection.readStream(total, (chunk) => {
    seen += chunk.length
  })
  t.equal(seen, total, 'all of it comes when it is read')
})

t.test('flush waits for a slow reader', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  client.pause()
  const piece = Buffer.alloc(1024 * 1024, 'w')
  let sent = 0
  const sending = (async () => {
    for (let i = 0; i < 64; i += 1) {
      connection.write(piece)
      await connection.flush()
      sent += 1
    }
    connection.close()
  })()
  let before = -1
  while (before !== sent) {
    before = sent
    for (let i = 0; i < 50; i += 1) await turn()
  }
  t.ok(sent < 32, `${sent} MiB went out to a reader that does not read`)
  t.equal((await readAll(client)).length, 64 * piece.length)
  await sending
})

t.test('writes of one turn leave in order, small and large', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  const large = Buffer.alloc(10_000, 'L')
  const parts = ['* 1 ', Buffer.from('FETCH '), large, 'é\r\n', 'm'.repeat(5000), Buffer.alloc(3, 's')]
  for (const part of parts) connection.write(part)
  const expected = Buffer.concat(parts.map((part) => Buffer.from(part)))
  const got: Buffer[] = []
  client.on('data', (chunk) => got.push(chunk))
  while (Buffer.concat(got).length < expected.length) await once(client, 'data')
  t.ok(Buffer.concat(got).equals(expected), 'sent without a flush, when the turn ended')
})

t.test('a peer that disappears: reader sees the end, writer an error', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  const line = connection.readLine()
  client.resetAndDestroy()
  t.equal(await line, null)
  t.equal(connection.closed, true)
  t.match(connection.error, { code: 'ECONNRESET' })
  connection.write('too late')
  await t.rejects(connection.flush(), ConnectionClosedError)
})

t.test('idle timeout', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server, { idleTimeout: 0.05 })
  await t.rejects(connection.readLine(), TimeoutError)
  client.write('late\r\n')
  t.equal(text(await connection.readLine()), 'late', 'the caller may go on')
  connection.idleTimeout = 0
  const patient = connection.readLine()
  setTimeout(() => client.write('later\r\n'), 100)
  t.equal(text(await patient), 'later')
})

t.test('dot-stuffed data at every split', async (t) => {
  const wire = 'Subject: x\r\n\r\n..two\r\n.one\r\nbare\n.\nend.\r\n.\r\r\n...\r\n.\r\nQUIT\r\n'
  const plain = 'Subject: x\r\n\r\n.two\r\none\r\nbare\n\nend.\r\n\r\r\n..\r\n'
  for (let at = 0; at < wire.indexOf('QUIT'); at += 1) {
    const { server, client } = await socketPair(t)
    const connection = new Connection(server)
    client.write(wire.slice(0, at))
    const got: Buffer[] = []
    const reading = connection.readDotStuffed((chunk) => {
      got.push(chunk)
    })
    for (let i = 0; i < 3; i += 1) await turn()
    client.write(wire.slice(at))
    t.same(await reading, { tooBig: false, size: plain.length })
    t.equal(Buffer.concat(got).toString(), plain, `split at ${at}`)
    t.equal(text(await connection.readLine()), 'QUIT')
    client.destroy()
    server.destroy()
  }
})

t.test('dot-stuffed data above the limit is read and dropped; cut off it is an error', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  client.write(`${'x'.repeat(70)}\r\n`.repeat(1000))
  client.write('.\r\nRSET\r\n')
  let seen = 0
  const answer = await connection.readDotStuffed((chunk) => {
    seen += chunk.length
  }, 10_000)
  t.same(answer, { tooBig: true, size: 72_000 })
  t.ok(seen <= 10_000)
  t.equal(text(await connection.readLine()), 'RSET')
  client.end('half a mess')
  await t.rejects(
    connection.readDotStuffed(() => undefined),
    ConnectionClosedError,
  )
})

t.test('deflate both ways, with bytes that came early', async (t) => {
  const { server, client } = await socketPair(t)
  const a = new Connection(server)
  const b = new Connection(client)
  b.write('COMPRESS\r\n')
  t.equal(text(await a.readLine()), 'COMPRESS')
  a.write('OK\r\n')
  await a.flush()
  a.startDeflate()
  a.write('early compressed line\r\n')
  t.equal(text(await b.readLine()), 'OK')
  b.startDeflate()
  t.equal(text(await b.readLine()), 'early compressed line')
  const big = Buffer.alloc(3_000_000, 'highly compressible ')
  b.write(`{${big.length}}\r\n`)
  b.write(big)
  await b.flush()
  t.equal(text(await a.readLine()), `{${big.length}}`)
  t.ok((await a.readBytes(big.length)).equals(big))
  t.ok(server.bytesRead < 100_000, `${server.bytesRead} bytes on the wire`)
  for (let i = 0; i < 100; i += 1) {
    a.write(`* ${i}\r\n`)
    await a.flush()
    t.equal(text(await b.readLine()), `* ${i}`, 'each flush can be acted upon')
  }
  a.write('bye\r\n')
  a.close()
  t.equal(text(await b.readLine()), 'bye')
  t.equal(await b.readLine(), null)
})

t.test('a peer that takes nothing is given up, compressed or not', async (t) => {
  for (const compressed of [false, true]) {
    const { server, client } = await socketPair(t)
    client.pause()
    const connection = new Connection(server, { idleTimeout: 0.2 })
    if (compressed) connection.startDeflate()
    const sending = async () => {
      for (let n = 0; n < 1000; n += 1) {
        connection.write(randomBytes(100_000))
        await connection.flush()
      }
    }
    await t.rejects(sending(), TimeoutError, compressed ? 'compressed' : 'plain')
    connection.destroy()
  }
})

t.test('rubbish instead of deflate ends the conversation', async (t) => {
  const { server, client } = await socketPair(t)
  const connection = new Connection(server)
  connection.startDeflate()
  client.write(Buffer.alloc(100, 0xff))
  t.equal(await connection.readLine(), null)
  t.match(connection.error, { code: 'Z_DATA_ERROR' })
})
