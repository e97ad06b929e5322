/**
 * syslog(3) of the C library, so that whatever stands behind it (a daemon at /dev/log, a preloaded library, nothing) gets our
 * lines as it gets any C program's. Without a /dev/log the C library drops the line; nothing here fails.
 */
import { keepString, native } from './libc.js'

/** Severities of syslog(3), RFC 5424 §6.2.1. */
export const Severity = { error: 3, warning: 4, notice: 5, info: 6, debug: 7 } as const

/** Facilities by the names that imapd.conf's `syslog_facility` takes (with or without `LOG_`, any case). */
const FACILITIES: Readonly<Record<string, number>> = {
  KERN: 0,
  USER: 1,
  MAIL: 2,
  DAEMON: 3,
  AUTH: 4,
  SYSLOG: 5,
  LPR: 6,
  NEWS: 7,
  UUCP: 8,
  CRON: 9,
  AUTHPRIV: 10,
  FTP: 11,
  LOCAL0: 16,
  LOCAL1: 17,
  LOCAL2: 18,
  LOCAL3: 19,
  LOCAL4: 20,
  LOCAL5: 21,
  LOCAL6: 22,
  LOCAL7: 23,
}

const LOG_PID = 1

/** @returns the facility's number by name, or undefined for a name that is none */
export function facilityNumber(name: string): number | undefined {
  return FACILITIES[name.toUpperCase().replace(/^LOG_/, '')]
}

/**
 * openlog(3) with LOG_PID. The last call counts for the whole process.
 * @param ident what stands before `[pid]:` in each line
 * @param facility a number of facilityNumber()
 */
export function openSyslog(ident: string, facility: number): void {
  native.openlog()(keepString(ident), LOG_PID, facility << 3)
}

/** syslog(3): one line, which the caller has cleaned of control characters. */
export function writeSyslog(severity: number, line: string): void {
  native.syslog()(severity, '%s', 'const char *', line)
}
