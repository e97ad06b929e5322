/** Arguments of MAIL and RCPT. */
import t from 'tap'
import { parseMail, parsePath, parseRecipient } from '../../services/lmtpd/address.js'

const paths: [text: string, local: string, domain: string | undefined, mailbox: string][] = [
  ['<fred@example.org>', 'fred', 'example.org', 'fred@example.org'],
  ['<>', '', undefined, ''],
  ['<fred>', 'fred', undefined, 'fred'],
  ['<fred+sub/deep@x>', 'fred+sub/deep', 'x', 'fred+sub/deep@x'],
  ['<@a.b,@c:fred@x>', 'fred', 'x', 'fred@x'],
  ['<"fr ed"@x>', 'fr ed', 'x', '"fr ed"@x'],
  ['<"a\\"b"@x>', 'a"b', 'x', '"a\\"b"@x'],
  ['<a\\@b@x>', 'a@b', 'x', 'a\\@b@x'],
  ['<fred@[127.0.0.1]>', 'fred', '[127.0.0.1]', 'fred@[127.0.0.1]'],
  ['<fr\xe4d@x>', 'frXd', 'x', 'frXd@x'],
]
for (const [text, local, domain, mailbox] of paths) {
  t.test(text, async (t) => t.strictSame(parsePath(text), { path: { local, domain, mailbox }, rest: '' }))
}

for (const text of [
  'fred',
  '<fred',
  '<fr ed@x>',
  '<fred@x>y',
  '<"fred@x>',
  '<fred@x y>',
  '<a(b)@x>',
  ' <fred>',
  '<@a:@b>',
  '<a\0b>',
]) {
  t.test(JSON.stringify(text), async (t) =>
    t.throws(() => parsePath(text), { message: '501 5.5.4 Syntax error in parameters' }),
  )
}

t.test('MAIL', async (t) => {
  t.match(parseMail('FROM:<a@b> SIZE=100 BODY=8BITMIME', 0), { size: 100, authUser: undefined })
  t.match(parseMail('from:<> AUTH=fred+2Bx', 0), { path: { mailbox: '' }, authUser: 'fred+x' })
  t.equal(parseMail('FROM:<a> AUTH=<>', 0).authUser, undefined)
  const refused: [string, string][] = [
    ['FROM:<a> SIZE=x', '501 5.5.2 SIZE requires a value'],
    ['FROM:<a> SIZE=1001', '552 5.2.3 Message SIZE exceeds fixed maximum message size (1000)'],
    ['FROM:<a> BODY=BINARYMIME', '501 5.5.4 Unrecognized BODY type'],
    ['FROM:<a> FOO=1', '501 5.5.4 Unrecognized parameters'],
    ['FROM:a', '501 5.5.4 Syntax error in parameters'],
    ['<a>', '501 5.5.4 Syntax error in parameters'],
  ]
  for (const [text, message] of refused) t.throws(() => parseMail(text, 1000), { message }, text)
})

t.test('RCPT', async (t) => {
  t.equal(parseRecipient('TO:<a>').ignoreQuota, false)
  t.equal(parseRecipient('to:<a> ignorequota').ignoreQuota, true)
  t.throws(() => parseRecipient('TO:<a> FOO'), { message: '501 5.5.4 Unrecognized parameters' })
  t.throws(() => parseRecipient('FROM:<a>'), { message: '501 5.5.4 Syntax error in parameters' })
})
