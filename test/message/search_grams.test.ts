import t from 'tap'
import { GramCollector, gramsOf, mayContain } from '../../lib/message/search_grams.js'
import { searchForm } from '../../lib/message/search_text.js'

/** Pseudo-random numbers below `limit`, the same in every run. */
function random(seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return Math.floor((state / 2 ** 32) * limit)
  }
}

const ALPHABETS = [
  'abcdefgh ',
  'αβγδςΣ ά',
  'どうも日本語中文',
  '😀🎉ab',
  'שָׁלוֹם',
  'कि ा',
  '가나다라',
  'äöüßÉ½ﬁ\u00a0\ufeff',
]

t.test('what a text contains is never said to be absent, wherever it is cut into pieces', (t) => {
  const below = random(7)
  const collector = new GramCollector()
  for (let round = 0; round < 400; round += 1) {
    const texts = Array.from({ length: 1 + below(3) }, () => {
      let text = ''
      for (let n = below(120); n > 0; n -= 1) {
        const points = [...ALPHABETS[below(ALPHABETS.length)]!]
        for (let k = 1 + below(4); k > 0; k -= 1) text += points[below(points.length)]
      }
      return searchForm(text)
    })
    for (const text of texts) {
      collector.beginText()
      for (let at = 0; at < text.length; ) {
        const end = at + 1 + below(40)
        collector.add(text.slice(at, end))
        at = end
      }
    }
    const filter = collector.filter()
    const framed = Buffer.concat([Buffer.alloc(3, 0), filter, Buffer.alloc(3, 0)])
    for (const text of texts) {
      for (let n = 0; n < 20 && text.length > 0; n += 1) {
        const from = below(text.length)
        const needle = text.slice(from, from + 1 + below(12))
        if (!mayContain(framed, 3, filter.length, gramsOf(needle)))
          t.fail(`round ${round}: ${JSON.stringify(needle)} of ${JSON.stringify(text)}`)
      }
    }
  }
  t.end()
})

t.test('what no text contains is mostly said to be absent, with four bits a gram', (t) => {
  const below = random(11)
  const word = (): string => Array.from({ length: 8 }, () => String.fromCharCode(97 + below(26))).join('')
  const collector = new GramCollector()
  const text = Array.from({ length: 400 }, word).join(' ')
  collector.add(text)
  const filter = collector.filter()
  t.ok(filter.length < text.length / 1.8, `${filter.length} bytes for ${text.length} characters`)
  let wrong = 0
  for (let n = 0; n < 5000; n += 1) {
    const needle = word()
    if (!text.includes(needle) && mayContain(filter, 0, filter.length, gramsOf(needle))) wrong += 1
  }
  t.ok(wrong < 25, `${wrong} of 5000 words seem to be there`)
  t.same(collector.filter(), Buffer.alloc(1), 'the collector is empty')
  t.end()
})

t.test('words of two ideographs can be told, other strings of two characters cannot', (t) => {
  const collector = new GramCollector()
  collector.add('今日は日本語')
  const filter = collector.filter()
  t.equal(mayContain(filter, 0, filter.length, gramsOf('日本')), true)
  const others = [...'中国人学校電車東京大阪'].map((first) => `${first}語`)
  const denied = others.filter((word) => !mayContain(filter, 0, filter.length, gramsOf(word)))
  t.ok(denied.length > others.length / 2, `${denied.length} of ${others.length}`)
  t.same(gramsOf('ab'), [])
  t.same(gramsOf(''), [])
  t.end()
})

t.test('a huge text makes a filter of bounded size that still denies nothing', (t) => {
  const below = random(13)
  const collector = new GramCollector()
  const pieces: string[] = []
  for (let n = 0; n < 200; n += 1)
    pieces.push(Array.from({ length: 2000 }, () => String.fromCharCode(33 + below(900))).join(''))
  for (const piece of pieces) collector.add(piece)
  const filter = collector.filter()
  t.equal(filter.length, 128 * 1024)
  for (const piece of pieces) t.ok(mayContain(filter, 0, filter.length, gramsOf(piece.slice(100, 110))))
  t.end()
})
