/** Searches whose results are kept up to date (RFC 5267 §4, RFC 5465 §7). */
import t from 'tap'
import { ImapClient } from '../lab/imap_client.js'
import { fixture, LOGIN } from './fixture.js'

const SELECTED = `${LOGIN}
  B> l LOGIN alice testpw
  B< l OK …
  A> s SELECT INBOX
  A~ s OK …
  B> s EXAMINE INBOX
  B~ s OK …`

const append = (subject: string, flags = ''): string => {
  const text = `Subject: ${subject}\r\n\r\nx\r\n`
  return `
  B> p APPEND INBOX (${flags}) {${text.length}+}\\r\\n${text.replaceAll('\r\n', '\\r\\n')}
  B~ p OK …`
}

t.test('SEARCH', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${SELECTED}
    ${['a', 'b', 'c', 'd'].map((subject) => append(subject)).join('')}
    A> n NOOP
    A~ n OK …
    A> m STORE 1 +FLAGS.SILENT (\\Deleted $Junk)
    A~ m OK …
    # RFC 5267 §4.2, §4.3
    A> A01 SEARCH RETURN (CONTEXT COUNT) UNDELETED UNKEYWORD $Junk
    A< * ESEARCH (TAG "A01") COUNT 3
    A< A01 OK …
    A> B01 UID SEARCH RETURN (UPDATE COUNT) DELETED KEYWORD $Junk
    A< * ESEARCH (TAG "B01") UID COUNT 1
    A< B01 OK …
    A> B01 SORT RETURN (UPDATE) (SUBJECT) UTF-8 FLAGGED
    A< B01 BAD Tag reuse
    A> n STORE 3:4 +FLAGS ($Junk \\Deleted)
    A< * 3 FETCH (FLAGS (…$Junk…))
    A< * 4 FETCH (FLAGS (…$Junk…))
    A< * ESEARCH (TAG "B01") UID ADDTO (0 3:4)
    A< n OK …
    A> n STORE 1 -FLAGS.SILENT ($Junk)
    A< * ESEARCH (TAG "B01") UID REMOVEFROM (0 1)
    A< n OK …
    # what is expunged is told when it happens to those who use UIDs, before the numbers change to the others
    A> C01 SEARCH RETURN (UPDATE ALL) ALL
    A< * ESEARCH (TAG "C01") ALL 1:4
    A< C01 OK …
    C> l LOGIN alice testpw
    C< l OK …
    C> s SELECT INBOX
    C~ s OK …
    C> x UID EXPUNGE 3
    C~ x OK …
    A> n FETCH 1 UID
    A< * ESEARCH (TAG "B01") UID REMOVEFROM (0 3)
    A< * ESEARCH (TAG "C01") REMOVEFROM (0 3)
    A< * 1 FETCH (UID 1)
    A< n OK …
    A> n NOOP
    A< * 3 EXPUNGE
    A< n OK Completed
    ${append('new')}
    A> n NOOP
    A< * 4 EXISTS
    A< * … RECENT
    A< * ESEARCH (TAG "C01") ADDTO (0 4)
    A< n OK Completed
    # in IDLE too
    A> i IDLE
    A< + idling
    ${append('newer', '\\Deleted $Junk')}
    A< * 5 EXISTS
    A< * … RECENT
    A< * ESEARCH (TAG "B01") UID ADDTO (0 6)
    A< * ESEARCH (TAG "C01") ADDTO (0 5)
    A> DONE
    A< i OK …
    A> B04 CANCELUPDATE "B01"
    A< B04 OK No further updates
    A> B05 CANCELUPDATE "C01" "B01"
    A< B05 BAD Unknown tag
    A> n STORE 1 +FLAGS.SILENT ($Junk)
    A< n OK Completed
    # numbers of messages mean what they meant
    A> D01 SEARCH RETURN (UPDATE) 1:2 FLAGGED
    A< * ESEARCH (TAG "D01")
    A< D01 OK …
    C> x NOOP
    C~ x OK …
    C> x UID EXPUNGE 1
    C~ x OK …
    A> n NOOP
    A< * ESEARCH (TAG "C01") REMOVEFROM (0 1)
    A< * 1 EXPUNGE
    A< n OK …
    A> n STORE 1:2 +FLAGS.SILENT (\\Flagged)
    A< * ESEARCH (TAG "D01") ADDTO (0 1)
    A< n OK …
    # nothing of it is left in another mailbox, and tags may come again
    A> s SELECT INBOX
    A~ s OK …
    A> n STORE 1:2 -FLAGS.SILENT (\\Flagged)
    A< n OK Completed
    A> D01 SEARCH RETURN (UPDATE) FLAGGED
    A< * ESEARCH (TAG "D01")
    A< D01 OK …`)
})

t.test('SORT', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${SELECTED}
    ${['m', 'c', 'x'].map((subject) => append(subject)).join('')}
    A> n NOOP
    A~ n OK …
    A> C01 UID SORT RETURN (UPDATE ALL) (SUBJECT) UTF-8 UNDELETED
    A< * ESEARCH (TAG "C01") UID ALL 2,1,3
    A< C01 OK …
    ${['b', 'a', 'n'].map((subject) => append(subject)).join('')}
    A> n NOOP
    A< * 6 EXISTS
    A< * … RECENT
    A< * ESEARCH (TAG "C01") UID ADDTO (1 5,4 5 6)
    A< n OK Completed
    A> n STORE 1,4:5 +FLAGS.SILENT (\\Deleted)
    A< * ESEARCH (TAG "C01") UID REMOVEFROM (4 1 1 5,4)
    A< n OK Completed`)
})

t.test('attributes of new messages, and NOTIFY', async (t) => {
  const { conversation } = await fixture(t)
  await conversation.play(`${SELECTED}
    A> a00 SEARCH RETURN (COUNT UPDATE (UID BODY.PEEK[HEADER.FIELDS (TO FROM SUBJECT)])) SUBJECT "boss"
    A< * ESEARCH (TAG "a00") COUNT 0
    A< a00 OK …
    A> n NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))
    A< n OK …
    ${append('the boss')}
    A< * 1 EXISTS
    A< * … RECENT
    A< * 1 FETCH (UID 1 BODY[HEADER.FIELDS (TO FROM SUBJECT)] {21}\\r\\nSubject: the boss\\r\\n\\r\\n)
    A< * ESEARCH (TAG "a00") ADDTO (0 1)
    ${append('somebody else')}
    A< * 2 EXISTS
    A< * … RECENT
    A> a01 SEARCH RETURN (UPDATE (UID)) FLAGGED
    A< * ESEARCH (TAG "a01")
    A< a01 OK …
    # none by a change of flags
    C> l LOGIN alice testpw
    C< l OK …
    C> s SELECT INBOX
    C~ s OK …
    C> s STORE 2 +FLAGS (\\Flagged)
    C~ s OK …
    A< * 2 FETCH (FLAGS (…) UID 2)
    A< * ESEARCH (TAG "a01") ADDTO (0 2)`)
})

t.test('bounds', async (t) => {
  const { conversation } = await fixture(t)
  const tags = Array.from({ length: 16 }, (_, n) => `t${n}`)
  await conversation.play(`${SELECTED}
    ${tags.map((tag) => `A> ${tag} SEARCH RETURN (UPDATE COUNT) ALL\n    A~ ${tag} OK …`).join('\n')}
    A> B02 UID SORT RETURN (UPDATE COUNT) (ARRIVAL) UTF-8 KEYWORD $Junk
    A< * ESEARCH (TAG "B02") UID COUNT 0
    A< * NO [NOUPDATE "B02"] Too many contexts
    A< B02 OK …
    A> c CANCELUPDATE "t1"
    A< c OK …
    A> B03 UID SORT RETURN (UPDATE COUNT) (ARRIVAL) UTF-8 KEYWORD $Junk
    A< * ESEARCH (TAG "B03") UID COUNT 0
    A< B03 OK …`)
})

/** What a client makes of the updates to its results: numbers in their order. */
class Results {
  constructor(
    readonly sorted: boolean,
    public numbers: number[],
  ) {}

  static parse(set: string): number[] {
    return set.split(',').flatMap((range) => {
      const [first, last = first] = range.split(':').map(Number) as [number, number?]
      return Array.from({ length: last! - first + 1 }, (_, n) => first + n)
    })
  }

  take(items: string): void {
    for (const [, kind, pairs] of items.matchAll(/(ADDTO|REMOVEFROM) \(([^)]*)\)/g)) {
      for (const [, at, set] of pairs!.matchAll(/(\d+) ([\d:,]+)/g)) {
        const numbers = Results.parse(set!)
        const place = Number(at) - 1
        if (kind === 'ADDTO' && this.sorted) this.numbers.splice(place, 0, ...numbers)
        else if (kind === 'ADDTO') this.numbers = [...this.numbers, ...numbers].sort((a, b) => a - b)
        else if (this.sorted) {
          const gone = this.numbers.splice(place, numbers.length)
          if (gone.join() !== numbers.join()) throw new Error(`${gone} removed at ${at}, not ${numbers}`)
        } else this.numbers = this.numbers.filter((number) => !numbers.includes(number))
      }
    }
  }
}

const PROGRAMS = [
  ['UID SEARCH', 'FLAGGED UNDELETED'],
  ['UID SEARCH', 'OR SUBJECT a NOT SEEN'],
  ['UID SEARCH', 'UID 5:* UNFLAGGED'],
  ['UID SORT', '(SUBJECT REVERSE SIZE) UTF-8 UNFLAGGED'],
  ['UID SORT', '(REVERSE MODSEQ) UTF-8 UNDELETED'],
] as const

for (const seed of [3, 44])
  t.test(`results kept by a client are those of a new search, seed ${seed}`, async (t) => {
    const { server } = await fixture(t)
    let state = seed * 7919
    const random = (below: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return (state >>> 8) % below
    }
    const [watcher, other] = [await ImapClient.connect(server.port), await ImapClient.connect(server.port)]
    t.teardown(() => {
      watcher.close()
      other.close()
    })
    const command = async (client: ImapClient, text: string, take: (line: string) => void = () => undefined) => {
      const tag = client.send(text)
      for (;;) {
        const response = (await client.response()).toString('latin1')
        if (response.startsWith(`${tag} `)) {
          if (!response.startsWith(`${tag} OK`)) throw new Error(`${text}: ${response}`)
          return tag
        }
        take(response)
      }
    }
    for (const client of [watcher, other]) {
      await command(client, 'LOGIN alice testpw')
      await command(client, 'SELECT INBOX')
    }
    const kept = new Map<string, Results>()
    const take = (line: string): void => {
      const found = /^\* ESEARCH \(TAG "([^"]*)"\) UID (.*)$/.exec(line)
      if (found) kept.get(found[1]!)?.take(found[2]!)
    }
    const append = (client: ImapClient): Promise<string> => {
      const text = `Subject: ${'abcdef'[random(6)]!.repeat(1 + random(3))}\r\n\r\n${'x'.repeat(random(9))}\r\n`
      return command(client, `APPEND INBOX {${text.length}+}\r\n${text}`, client === watcher ? take : undefined)
    }
    for (let n = 0; n < 6; n += 1) await append(other)
    await command(watcher, 'NOOP')
    const all = async (of: (typeof PROGRAMS)[number], options: string): Promise<[string, number[]]> => {
      let numbers: number[] = []
      const tag = await command(watcher, `${of[0]} RETURN (${options}) ${of[1]}`, (line) => {
        const found = / ALL ([\d:,]+)/.exec(line)
        if (found) numbers = Results.parse(found[1]!)
        else take(line)
      })
      return [tag, numbers]
    }
    const contexts: [(typeof PROGRAMS)[number], string][] = []
    for (const program of PROGRAMS) {
      const [tag, numbers] = await all(program, 'UPDATE ALL')
      kept.set(tag, new Results(program[0].endsWith('SORT'), numbers))
      contexts.push([program, tag])
    }
    for (let round = 0; round < 60; round += 1) {
      const client = random(3) === 0 ? watcher : other
      const receive = client === watcher ? take : undefined
      const kind = random(10)
      const uids = `${1 + random(12)}:${8 + random(20)}`
      if (kind < 3) await append(client)
      else if (kind < 8)
        await command(
          client,
          `UID STORE ${uids} ${'+-'[random(2)]}FLAGS (${['\\Flagged', '\\Seen', '\\Deleted'][random(3)]})`,
          receive,
        )
      else if (kind < 9 && random(3) === 0) await command(client, 'EXPUNGE', receive)
      else await command(watcher, 'NOOP', take)
    }
    await command(watcher, 'NOOP', take)
    for (const [program, tag] of contexts) {
      const [, numbers] = await all(program, 'ALL')
      t.same(kept.get(tag)!.numbers, numbers, program.join(' '))
      t.ok(numbers.length > 0, 'there are some')
    }
  })
