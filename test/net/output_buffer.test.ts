import t from 'tap'
import { OutputBuffer } from '../../lib/net/output_buffer.js'

t.test('everything in order, whatever way it was added', (t) => {
  const output = new OutputBuffer()
  const large = Buffer.alloc(10_000, 'L')
  const passing = Buffer.from('...passing...')
  let expected = ''
  for (let round = 0; round < 40; round += 1) {
    for (const text of ['* 1 FETCH (', 'é', `${'x'.repeat(95)}ü`, 'y'.repeat(200), '€'.repeat(2000), '']) {
      output.add(text)
      expected += text
    }
    output.add(large)
    output.add(Buffer.from('small'))
    output.addCopy(passing, 3, 10)
    output.addCopy(large, 0, 5000)
    passing.fill('!')
    expected += `${large}small${'passing'}${large.toString('latin1', 0, 5000)}`
    passing.write('...passing...')
    t.equal(output.length, Buffer.byteLength(expected))
  }
  t.ok(Buffer.concat(output.takeAll()).equals(Buffer.from(expected)))
  t.equal(output.length, 0)
  t.same(output.takeAll(), [])
  t.end()
})
