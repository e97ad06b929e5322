/**
 * What a hand-driven client said to a real sync_server (captures 70, 71, 73, 75, 76, 77), said to ours: the same answers, but where the real one
 * crashes, hangs, or has a quirk that csync.md tells new implementations not to copy.
 */
import t from 'tap'
import { captureNames, readCapture } from '../sync/capture.js'
import { RawClient, startServer } from '../sync/server_fixture.js'

/** Commands that get another answer. */
const EXCEPTIONS: Array<[command: RegExp, answer: RegExp]> = [
  // scripts are kept as they come, for nothing of ours runs them; the real one compiles them
  [/^APPLY SIEVE .*this is not sieve/, /^OK success/],
  // §5.12: the last UID unknown: the others are done, so OK
  [/^APPLY EXPUNGE .*\(1 99\)/, /^OK success/],
  // §5.5: Cyrus' user rename looks at neither PARTITION nor UIDVALIDITY; ours does as it is told
  [
    /^GET USER rawx\r/,
    /^(?:\* MAILBOX \S*.*MBOXNAME user\.rawx .*UIDVALIDITY 1795000005 PARTITION other [^\n]*\n)?OK success/,
  ],
  // FOLDERMODSEQ comes from a counter of the whole user there
  [
    /^GET USER raw\r/,
    /^\* MAILBOX .*MBOXNAME user\.raw .*HIGHESTMODSEQ 16 [^\n]*\n\* MAILBOX .*user\.raw\.mid MBOXTYPE ei [^\n]*CREATEDMODSEQ 41 FOLDERMODSEQ 40\)\r\nOK/,
  ],
  // crashes and assertions of the real one: a refusal
  [/^GET META %\(a b\)|^get META \(\)|^GET QUOTA \(a\)|^GET QUOTA %/, /^NO IMAP_PROTOCOL_BAD_PARAMETERS/],
]

/** What the real server would have answered if its Sieve mailbox and its crashes had left nothing behind. */
function asItShouldBe(answer: string): string {
  return answer
    .replace(/^\* MAILBOX [^\n]*MBOXNAME user\.rawx?\.#sieve [^\n]*\n/gm, '')
    .replace('FOLDERMODSEQ 21 ', 'FOLDERMODSEQ 14 ')
}

/** Captures that belong together go to one server. */
const HISTORIES = [['70'], ['71'], ['75', '76', '77']]

/** What was there before the captures, on the real replica. */
const BEFORE = [
  'APPLY MAILBOX %(UNIQUEID hugohugohugohugohugohugo MBOXNAME user.hugo SYNC_CRC 0 SYNC_CRC_ANNOT 12345678 LAST_UID 0 HIGHESTMODSEQ 1 RECENTUID 0 RECENTTIME 0 LAST_APPENDDATE 0 POP3_LAST_LOGIN 0 POP3_SHOW_AFTER 0 UIDVALIDITY 1795432950 PARTITION default ACL "hugo\tlrswipkxtecdan\t" OPTIONS P CREATEDMODSEQ 1 FOLDERMODSEQ 1 RECORD ())',
]

for (const history of HISTORIES) {
  t.test(`captures ${history.join(', ')}`, async (t) => {
    const server = await startServer()
    t.teardown(() => server.close())
    for (const number of history) {
      const name = captureNames().find((each) => each.startsWith(number))!
      const connect = async (): Promise<RawClient> => {
        const client = await RawClient.connect(server.port)
        if (history.length > 1) await client.login()
        else await client.until(/^\* OK [^\n]*\n/m)
        return client
      }
      let client = await connect()
      if (number === '75') for (const before of BEFORE) t.match(await client.ask(`${before}\r\n`), /^OK/)
      let command = ''
      for (const { side, text } of readCapture(name)) {
        if (side === 'client') {
          command += text
          continue
        }
        if (text === '') {
          // a new connection; a command without an answer made the real server crash
          client.close()
          client = await connect()
          command = ''
          continue
        }
        if (command === '') continue
        const exception = EXCEPTIONS.find(([pattern]) => pattern.test(command))
        if (!/Fatal error/.test(text) || exception !== undefined) {
          client.say(command)
          const answer = await client.until(
            /^\+ /.test(text) ? /^\+ [^\n]*\n/m : /^(?:OK|NO|BAD|BYE|\* Fatal)[^\n]*\n/m,
          )
          if (exception !== undefined) t.match(asItShouldBe(answer), exception[1], `${number}: ${command.slice(0, 80)}`)
          else t.equal(asItShouldBe(answer), asItShouldBe(text), `${number}: ${command.slice(0, 80)}`)
        }
        command = ''
      }
      client.close()
    }
    t.notOk(server.logged.some((line) => line.startsWith('UNCAUGHT')))
  })
}
