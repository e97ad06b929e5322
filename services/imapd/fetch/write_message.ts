/** One FETCH answer: `* n FETCH (…)`, items in Cyrus' order. */

import type { FetchRequest, SectionRequest } from '../../../lib/imap/fetch_items.js'
import { literalHead } from '../../../lib/imap/wire_text.js'
import type { MessageSource } from '../../../lib/mailbox/message_source.js'
import { type MessageCache, Ready } from '../../../lib/message/summary.js'
import type { Connection } from '../../../lib/net/connection.js'
import type { Selected } from '../selected.js'
import { type BinaryData, locateBinary } from './binary.js'
import { type Computed, computeItems, needsComputing } from './computed.js'
import type { WriteMetadata } from './metadata.js'
import { locate, locateAtHand, type SectionData } from './section.js'

interface Place {
  readonly row: number
  readonly sequence: number
}

const END = ')\r\n'

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
  if ((!needsCache || cacheAtHand) && !needsComputing(request.metadata)) {
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
    if (section.form !== 'raw') return undefined
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
  computed?: Computed,
): boolean {
  let text = ''
  for (const write of metadata) {
    const item = write(selected, row, computed)
    text += text === '' ? item : ` ${item}`
  }
  const { uidOnly } = selected.features
  connection.write(uidOnly ? `* ${selected.index.uid(row)} UIDFETCH (${text}` : `* ${sequence} FETCH (${text}`)
  let some = text !== ''
  const structure = (name: string, answer: Ready): void => {
    connection.write(some ? ` ${name} ` : `${name} `)
    connection.writeCopy(cache!.bytes, cache!.startOf(answer), cache!.endOf(answer))
    some = true
  }
  if (cache && request.envelope) structure('ENVELOPE', Ready.Envelope)
  if (cache && request.bodystructure) structure('BODYSTRUCTURE', Ready.BodyStructure)
  if (cache && request.body) structure('BODY', Ready.Body)
  return some
}

/** Whether record and summary are all that an answer needs. */
export function needsSummaryOnly({ envelope, body, bodystructure, sections, metadata }: FetchRequest): boolean {
  return (envelope || body || bodystructure) && sections.length === 0 && !needsComputing(metadata)
}

/** Writes the answer for one message from its record and summary; the summary's bytes need not last. */
export function writeSummary(
  connection: Connection,
  selected: Selected,
  place: Place,
  prepared: PreparedRequest,
  cache: MessageCache,
): void {
  writeHead(connection, selected, place, prepared, cache)
  connection.write(END)
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
    const { metadata } = prepared.request
    const computed = needsComputing(metadata) ? await computeItems(source, metadata) : undefined
    const sections: [SectionRequest, SectionData | Binary][] = []
    for (const section of prepared.request.sections) {
      if (section.form !== 'raw') {
        sections.push([section, { binary: await locateBinary(source, section) }])
        continue
      }
      const data = await locate(source, section)
      if (data && !Buffer.isBuffer(data)) await source.open()
      sections.push([section, data])
    }
    let some = writeHead(connection, selected, place, prepared, cache, computed)
    for (const [section, data] of sections) {
      writeLabel(connection, section, some)
      some = true
      if (data && 'binary' in data) await writeBinary(connection, section, data.binary)
      else await writeSection(connection, source, data)
    }
    connection.write(END)
  } finally {
    await source.close()
  }
}

/** What BINARY names, told from what BODY names. */
interface Binary {
  readonly binary: BinaryData | undefined
}

/** As a literal8 where there is NUL (RFC 3516 §4.2). */
async function writeBinary(
  connection: Connection,
  { form }: SectionRequest,
  data: BinaryData | undefined,
): Promise<void> {
  if (form === 'size') {
    connection.write(String(data?.size ?? 0))
    return
  }
  if (!data) {
    connection.write('NIL')
    return
  }
  connection.write(data.hasNul ? `~${literalHead(data.size)}` : literalHead(data.size))
  for await (const piece of data.pieces()) {
    connection.write(piece)
    if (piece.length >= 64 * 1024) await connection.flush()
  }
}

async function writeSection(connection: Connection, source: MessageSource, data: SectionData): Promise<void> {
  if (!data || Buffer.isBuffer(data)) {
    writeBytes(connection, data)
    return
  }
  // NUL, which only a binary APPEND can have brought, must be in a literal8 (RFC 3516 §4.2)
  const binary = await source.hasNul(data.start, data.length)
  connection.write(binary ? `~${literalHead(data.length)}` : literalHead(data.length))
  if (data.length === 0) return
  for await (const piece of source.pieces(data.start, data.length)) {
    connection.write(piece)
    if (piece.length >= 64 * 1024) await connection.flush()
  }
}
