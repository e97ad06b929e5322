/**
 * The grammar of imapd.conf as lines → settings; knows nothing of which options exist.
 * Both generations: `option: value`, `#` comments, `\` at the end of a line continues it (3.x), `@include: FILE`.
 * Errors name the file and the line on which the statement began (imapd.conf(5); lib/libconfig.c's behaviour).
 */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** A configuration that cannot be used; the message begins with `FILE:LINE:`. Programs exit with 78 (EX_CONFIG) on it. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  /** @param file as named by the user  @param line 1-based, 0 when no line is to blame */
  constructor(
    readonly file: string,
    readonly line: number,
    problem: string,
  ) {
    super(line > 0 ? `${file}:${line}: ${problem}` : `${file}: ${problem}`)
  }
}

/** One statement: the option's name in lower case, its value without surrounding blanks, and where it stands. */
export interface Setting {
  readonly name: string
  readonly value: string
  readonly file: string
  readonly line: number
}

const MAX_INCLUDE_DEPTH = 16
const STATEMENT = /^([A-Za-z0-9_-]+|@[A-Za-z]+):[ \t]*(.*)$/s

/**
 * Reads a file and all it includes.
 * @returns the settings in the order in which they take effect
 * @throws {ConfigError} on an unreadable file, a line that is no statement, an empty value, an unknown directive, circular includes
 */
export function readSettings(path: string): Setting[] {
  const settings: Setting[] = []
  readFileInto(path, settings, [])
  return settings
}

function readFileInto(path: string, settings: Setting[], including: string[]): void {
  const absolute = resolve(path)
  const parent = including.at(-1)
  if (including.includes(absolute)) throw new ConfigError(parent ?? path, 0, `"${path}" includes itself`)
  if (including.length >= MAX_INCLUDE_DEPTH) throw new ConfigError(path, 0, 'too many nested @include directives')
  let text: string
  try {
    text = readFileSync(absolute, 'latin1')
  } catch (error) {
    throw new ConfigError(path, 0, `cannot be read: ${(error as Error).message}`)
  }
  for (const { line, text: statement } of logicalLines(Buffer.from(text, 'latin1').toString('utf8'))) {
    const setting = parseStatement(statement, path, line)
    if (setting === undefined) continue
    if (setting.name === '@include') {
      const target = resolve(dirname(absolute), setting.value)
      try {
        readFileInto(target, settings, [...including, absolute])
      } catch (error) {
        if (error instanceof ConfigError && error.line === 0) throw new ConfigError(path, line, error.message)
        throw error
      }
    } else {
      settings.push(setting)
    }
  }
}

/** Joins lines that end in a backslash; `line` is that of the first piece. */
function* logicalLines(text: string): Iterable<{ line: number; text: string }> {
  let pending = ''
  let first = 0
  let number = 0
  for (const raw of text.split('\n')) {
    number++
    const piece = raw.endsWith('\r') ? raw.slice(0, -1) : raw
    if (first === 0) first = number
    if (piece.endsWith('\\')) {
      pending += piece.slice(0, -1)
      continue
    }
    yield { line: first, text: pending + piece }
    pending = ''
    first = 0
  }
  if (pending !== '') yield { line: first, text: pending }
}

function parseStatement(text: string, file: string, line: number): Setting | undefined {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.startsWith('#')) return undefined
  const match = STATEMENT.exec(trimmed)
  if (match === null) {
    const shown = trimmed.length > 40 ? `${trimmed.slice(0, 40)}…` : trimmed
    throw new ConfigError(file, line, `expected "option: value", got "${shown}"`)
  }
  const name = match[1]!.toLowerCase()
  const value = match[2]!.trim()
  if (name.startsWith('@') && name !== '@include') throw new ConfigError(file, line, `unknown directive "${name}"`)
  if (value === '') throw new ConfigError(file, line, `"${name}" has no value`)
  return { name, value, file, line }
}
