/**
 * A program's log: syslog(3), facility mail, ident `PREFIX/SERVICE` (`syslog_prefix`, else `cyrus`), as Cyrus names itself.
 * Every message is one line: control characters are written as escapes, so that no peer can forge or split a line, and
 * overlong ones are cut. Logging never throws and never stops a program.
 */
import { facilityNumber, openSyslog, Severity, writeSyslog } from '../os/syslog.js'

/** What log.ts asks of a configuration: the contract of lib/config, cut to what is used here. */
export interface LogConfig {
  string(name: string): string | undefined
  switch(name: string): boolean
}

/** Where a program writes what an administrator should know; severities as in syslog(3). Messages are without a line end. */
export interface Logger {
  /** Dropped unless imapd.conf says `debug: yes`, or master was started with -v (CYRUS_VERBOSE). */
  debug(message: string): void
  info(message: string): void
  notice(message: string): void
  warning(message: string): void
  error(message: string): void
}

/** Bytes of a message kept; syslog daemons cut at 8192 or less. */
const LONGEST = 4096

/** @returns the text with C0, DEL and line separators as `\n`, `\t`, `\xHH`, `\uHHHH`, cut to 4096 characters */
export function oneLine(message: string): string {
  const text = message.length > LONGEST ? `${message.slice(0, LONGEST)}… (${message.length} characters)` : message
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, (c) => {
    if (c === '\n') return '\\n'
    if (c === '\t') return '\\t'
    if (c === '\r') return '\\r'
    const code = c.charCodeAt(0)
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

/** What is done about a terminal that is gone. */
const unheard = (): void => undefined

/**
 * Opens the process's log; a later call replaces the ident for all loggers of the process (openlog(3) has only one).
 * @param options.config for `syslog_prefix`, `syslog_facility` and `debug`; without it their defaults hold
 * @param options.service the name after the slash, as in cyrus.conf
 * @param options.foreground write each line to stderr too, led by the severity
 */
export function openLog(options: { config?: LogConfig; service: string; foreground?: boolean }): Logger {
  const { config, service, foreground = false } = options
  const prefix = config?.string('syslog_prefix') || process.env.CYRUS_SYSLOG_PREFIX || 'cyrus'
  const wanted = config?.string('syslog_facility')
  const facility = wanted ? facilityNumber(wanted) : undefined
  const debugging = config?.switch('debug') || Number(process.env.CYRUS_VERBOSE || 0) > 0
  openSyslog(oneLine(`${prefix}/${service}`), facility ?? 2)
  // a terminal that is gone is told of by an event, and logging that would bring the next one
  if (foreground && !process.stderr.listeners('error').includes(unheard)) process.stderr.on('error', unheard)

  const write = (severity: number, label: string, message: string): void => {
    try {
      const line = oneLine(message)
      writeSyslog(severity, line)
      if (foreground) process.stderr.write(`${service}: ${label}${line}\n`)
    } catch {
      // A log that cannot be written must not take the program with it.
    }
  }
  const logger: Logger = {
    debug: (message) => {
      if (debugging) write(Severity.debug, 'debug: ', message)
    },
    info: (message) => write(Severity.info, '', message),
    notice: (message) => write(Severity.notice, '', message),
    warning: (message) => write(Severity.warning, 'warning: ', message),
    error: (message) => write(Severity.error, 'error: ', message),
  }
  if (wanted && facility === undefined) {
    logger.warning(
      `${'path' in (config as object) ? String((config as { path?: unknown }).path) : 'imapd.conf'}: syslog_facility: "${wanted}" is no facility; using mail`,
    )
  }
  return logger
}

/** A conversation's log: the id by which its lines are found again stands at the end of each, unless the line has it already. */
export function sessionLog(log: Logger, id: string): Logger {
  const marked = (message: string): string => (message.includes(id) ? message : `${message} SESSIONID=<${id}>`)
  return {
    debug: (message) => log.debug(marked(message)),
    info: (message) => log.info(marked(message)),
    notice: (message) => log.notice(marked(message)),
    warning: (message) => log.warning(marked(message)),
    error: (message) => log.error(marked(message)),
  }
}
