/** Encoded words, transfer encodings, character sets, and the form in which texts are compared. */
import t from 'tap'
import { decodeHeader } from '../../lib/message/encoded_words.js'
import { decodeCharset, knowsCharset, searchForm } from '../../lib/message/search_text.js'
import { MessageCache, summarize } from '../../lib/message/summary.js'
import { decodeBody } from '../../lib/message/transfer_encoding.js'

t.test('encoded words (RFC 2047 §8 and what is seen in the wild)', (t) => {
  const cases: [string, string][] = [
    ['plain', 'plain'],
    ['=?ISO-8859-1?Q?a?=', 'a'],
    ['=?ISO-8859-1?Q?a?= b', 'a b'],
    ['=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=', 'ab'],
    ['=?ISO-8859-1?Q?a?=  =?utf-8?Q?b?=', 'ab'],
    ['=?ISO-8859-1?Q?a_b?=', 'a b'],
    ['=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=', 'a b'],
    ['=?utf-8?b?w6Q=?=', 'ä'],
    ['=?utf-8?q?=C3?= =?utf-8?q?=A4?=', 'ä'],
    ['=?utf-8*en?q?x?=', 'x'],
    ['=?x-none?q?=C3=A4?=', 'ä'],
    ['=?utf-8?x?abc?=', '=?utf-8?x?abc?='],
    ['=?utf-8?q?open', '=?utf-8?q?open'],
    ['raw \xc3\xa4', 'raw ä'],
  ]
  for (const [value, want] of cases) t.equal(decodeHeader(value), want, value)
  t.end()
})

t.test('transfer encodings, leniently', (t) => {
  const decoded = (text: string, encoding: 'quoted-printable' | 'base64' | 'none' | 'unknown') =>
    decodeBody(Buffer.from(text, 'latin1'), encoding)?.toString('latin1')
  t.equal(decoded('a=3D=\r\nb= \r\nc=zz=', 'quoted-printable'), 'a=bc=zz=')
  t.equal(decoded('=e4=E4', 'quoted-printable'), '\xe4\xe4')
  t.equal(decoded('aGVs\r\nbG8!=\r\n', 'base64'), 'hello')
  t.equal(decoded('as it is', 'none'), 'as it is')
  t.equal(decoded('x', 'unknown'), undefined)
  t.end()
})

t.test('texts are compared without case, accents and kinds of white space', (t) => {
  t.equal(searchForm('Größe \r\n\t ÉCOLE'), 'große ecole')
  t.equal(searchForm('ﬁn'), 'fin')
  t.equal(searchForm('ΣΟΦΟΣ ½ ı'), searchForm('σοφος 1/2 I'))
  t.equal(searchForm('कि'), 'कि', 'a vowel sign is no accent')
  t.equal(searchForm('a\ufeffb\u00a0\u2003c'), 'a\ufeffb c')
  t.equal(decodeCharset(Buffer.from([0xa4]), 'ISO-8859-15'), '€')
  t.equal(decodeCharset(Buffer.from([0xc4]), 'koi8-r'), 'д')
  t.equal(knowsCharset('Shift_JIS'), true)
  t.equal(knowsCharset('x-none'), false)
  t.end()
})

t.test('header values from the cache', (t) => {
  const message = 'Subject: one\r\n two\r\nX-Subject: no\r\nsubject:three\r\nReceived: x\r\nTo: a Subject: b\r\n\r\n'
  const cache = new MessageCache(summarize(Buffer.from(message)).cache)
  t.same(cache.headerValues('subject'), ['one two', 'three'])
  t.same(cache.headerValues('cc'), [])
  t.equal(cache.headerValues('received'), undefined)
  t.end()
})
