/** The first words of a message. */
import t from 'tap'
import { previewOf } from '../../lib/message/preview.js'

t.test('previews', async (t) => {
  for (const [text, isHtml, expected] of [
    ['Hello,\r\n  world\t\u00a0!\r\n', false, 'Hello, world !'],
    ['> quoted\r\nanswer\r\n', false, 'answer'],
    ['> quoted only\r\n', false, '> quoted only'],
    ['', false, ''],
    [
      '<html><head><title>T</title><style>p{}</style></head><p>Caf&eacute; &amp; <b>b</b>&#233;&#x41;&#55555;</p>',
      true,
      'Caf&eacute; & b éA',
    ],
    ['<!-- hidden <b>x --><script>alert("x")</script >seen<br', true, 'seen'],
    ['x'.repeat(300), false, 'x'.repeat(200)],
    ['😀'.repeat(300), false, '😀'.repeat(200)],
  ] as const)
    t.equal(previewOf(text, isHtml), expected)
})
