/** The version that programs name themselves by: Cyrus' whose behaviour this is, then ours. Test suites read the first three numbers. */
import { readFileSync } from 'node:fs'

/** The Cyrus IMAP version that is mirrored. */
const CYRUS_VERSION = '3.6.1'

let version: string | undefined

/** @returns `3.6.1-cyrus-ts-VERSION`, for greetings, Received and `master -V` */
export function cyrusVersion(): string {
  if (version === undefined) {
    const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
    version = `${CYRUS_VERSION}-cyrus-ts-${(JSON.parse(text) as { version: string }).version}`
  }
  return version
}
