/** One FETCH answer: `* n FETCH (…)`, items in Cyrus' order. */

import { formatDateTime } from '../../../lib/imap/date_time.js'
import type { FetchRequest, SectionRequest } from '../../../lib/imap/fetch_items.js'
import { literalHead } from '../../../lib/imap/wire_text.js'
import type { MessageCache } from '../../../lib/message/summary.js'
import type { Connection } from '../../../lib/net/connection.js'
import type { Selected } from '../selected.js'
import type { MessageSource } from './message_source.js'
import { locate, locateAtHand, type SectionData } from './section.js'

interface Place {
  readonly row: number
  readonly sequence: number
}

const END = Buffer.from(')\r\n')

/**
 * Writes the answer for one message.
 * @param forceFlags whether FLAGS are told though not asked for, because \Seen was just set
 * @returns nothing when all was at hand; else a promise  @throws {MessageFileError} before anything was written
 */
export function writeMessage(
  connection: Connection,
  selected: Selected,
  place: Place,
  source: MessageSource,
  request: FetchRequest,
  forceFlags: boolean,
): Promise<void> | undefined {
  const { cacheAtHand } = source
  const needsCache = request.envelope || request.body || request.bodystructure
  if (!needsCache || cacheAtHand) {
    const atHand = sectionsAtHand(source, request)
    if (atHand) {
      let some = writeHead(connection, selected, place, request, forceFlags, cacheAtHand)
      request.sections.forEach((section, n) => {
        writeLabel(connection, section, some)
        writeBytes(connection, atHand[n])
        some = true
      })
      connection.write(END)
      return undefined
    }
  }
  return writeWithBodies(connection, selected, place, source, request, forceFlags, needsCache)
}

/** All sections, if none of them needs the file. */
function sectionsAtHand(source: MessageSource, { sections }: FetchRequest): (Buffer | undefined)[] | undefined {
  const found: (Buffer | undefined)[] = []
  for (const section of sections) {
    const data = locateAtHand(source, section)
    if (data === null) return undefined
    found.push(data)
  }
  return found
}

function writeLabel(connection: Connection, { label }: SectionRequest, some: boolean): void {
  connection.write(Buffer.from(`${some ? ' ' : ''}${label} `, 'latin1'))
}

function writeBytes(connection: Connection, data: Buffer | undefined): void {
  if (!data) {
    connection.write('NIL')
    return
  }
  connection.write(literalHead(data.length))
  connection.write(data)
}

/** Everything that is not a section, in front of the closing parenthesis. */
function writeHead(
  connection: Connection,
  selected: Selected,
  { row, sequence }: Place,
  request: FetchRequest,
  forceFlags: boolean,
  cache: MessageCache | undefined,
): boolean {
  const { index } = selected
  const items: string[] = []
  if (request.flags || forceFlags) items.push(`FLAGS ${selected.flagText(row)}`)
  if (request.uid) items.push(`UID ${index.uid(row)}`)
  if (request.internaldate) items.push(`INTERNALDATE "${formatDateTime(index.internaldate(row))}"`)
  if (request.size) items.push(`RFC822.SIZE ${index.size(row)}`)
  connection.write(`* ${sequence} FETCH (${items.join(' ')}`)
  let some = items.length > 0
  const structure = (name: string, text: Buffer): void => {
    connection.write(some ? ` ${name} ` : `${name} `)
    connection.write(text)
    some = true
  }
  if (cache && request.envelope) structure('ENVELOPE', cache.envelope)
  if (cache && request.bodystructure) structure('BODYSTRUCTURE', cache.bodystructure)
  if (cache && request.body) structure('BODY', cache.body)
  return some
}

async function writeWithBodies(
  connection: Connection,
  selected: Selected,
  place: Place,
  source: MessageSource,
  request: FetchRequest,
  forceFlags: boolean,
  needsCache: boolean,
): Promise<void> {
  try {
    // everything that can fail comes first: an answer once begun is finished
    const cache = needsCache ? await source.cache() : undefined
    const sections: [SectionRequest, SectionData][] = []
    for (const section of request.sections) {
      const data = await locate(source, section)
      if (data && !Buffer.isBuffer(data)) await source.open()
      sections.push([section, data])
    }
    let some = writeHead(connection, selected, place, request, forceFlags, cache)
    for (const [section, data] of sections) {
      writeLabel(connection, section, some)
      some = true
      await writeSection(connection, source, data)
    }
    connection.write(END)
  } finally {
    await source.close()
  }
}

async function writeSection(connection: Connection, source: MessageSource, data: SectionData): Promise<void> {
  if (!data || Buffer.isBuffer(data)) {
    writeBytes(connection, data)
    return
  }
  connection.write(literalHead(data.length))
  if (data.length === 0) return
  for await (const piece of source.pieces(data.start, data.length)) {
    connection.write(piece)
    if (piece.length >= 64 * 1024) await connection.flush()
  }
}
