/** Session ids as Cyrus 3.6.1 makes them, `NAME-TIME-PID-COUNT-RANDOM`, by which one conversation is found again in the logs. */
import { randomBytes } from 'node:crypto'

let lastSecond = 0
let count = 0

/** @param name `syslog_prefix`, else the server's name; cut to 128 characters */
export function newSessionId(name: string): string {
  const now = Math.floor(Date.now() / 1000)
  if (now !== lastSecond) {
    lastSecond = now
    count = 0
  }
  count++
  return `${name.slice(0, 128)}-${now}-${process.pid}-${count}-${randomBytes(8).readBigUInt64BE()}`
}
