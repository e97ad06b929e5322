/** What `master -V` prints: the version of Cyrus whose behaviour this is, then ours. Test suites read the first three numbers. */
import { readFileSync } from 'node:fs'

/** The Cyrus IMAP version that is mirrored. */
const CYRUS_VERSION = '3.6.1'

/** @returns `cyrus-imapd 3.6.1-cyrus-ts-VERSION` */
export function versionText(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return `cyrus-imapd ${CYRUS_VERSION}-cyrus-ts-${version}`
}
