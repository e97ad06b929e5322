/** One FETCH answer: `* n FETCH (…)`, items in Cyrus' order. */

import type { FetchRequest, SectionRequest } from '../../../lib/imap/fetch_items.js'
import { literalHead } from '../../../lib/imap/wire_text.js'
import type { MessageCache } from '../../../lib/message/summary.js'
import type { Connection } from '../../../lib/net/connection.js'
import type { Selected } from '../selected.js'
import type { MessageSource } from './message_source.js'
import type { WriteMetadata } from './metadata.js'
import { locate, locateAtHand, type SectionData } from './section.js'

interface Place {
  readonly row: number
  readonly sequence: number
}

const END = Buffer.from(')\r\n')

/** What is asked for, and who writes those of its items that the index answers. */
export interface PreparedRequest {
  readonly request: FetchRequest
  readonly metadata: readonly WriteMetadata[]
}

/**
 * Writes the answer for one message.
 * @returns nothing when all was at hand; else a promise  @throws {MessageFileError} before anything was written
 */
export function writeMessage(
  connection: Connection,
  selected: Selected,
  place: Place,
  source: MessageSource,
  prepared: PreparedRequest,
): Promise<void> | undefined {
  const { cacheAtHand } = source
  const { request } = prepared
  const needsCache = request.envelope || request.body || request.bodystructure
  if (!needsCache || cacheAtHand) {
    const atHand = sectionsAtHand(source, request)
    if (atHand) {
      let some = writeHead(connection, selected, place, prepared, cacheAtHand)
      request.sections.forEach((section, n) => {
        writeLabel(connection, section, some)
        writeBytes(connection, atHand[n])
        some = true
      })
      connection.write(END)
      return undefined
    }
  }
  return writeWithBodies(connection, selected, place, source, prepared, needsCache)
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
  { request, metadata }: PreparedRequest,
  cache: MessageCache | undefined,
): boolean {
  let text = ''
  for (const write of metadata) text += text === '' ? write(selected, row) : ` ${write(selected, row)}`
  connection.write(`* ${sequence} FETCH (${text}`)
  let some = text !== ''
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
  prepared: PreparedRequest,
  needsCache: boolean,
): Promise<void> {
  try {
    // everything that can fail comes first: an answer once begun is finished
    const cache = needsCache ? await source.cache() : undefined
    const sections: [SectionRequest, SectionData][] = []
    for (const section of prepared.request.sections) {
      const data = await locate(source, section)
      if (data && !Buffer.isBuffer(data)) await source.open()
      sections.push([section, data])
    }
    let some = writeHead(connection, selected, place, prepared, cache)
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
