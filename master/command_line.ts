/** Master's command line (reference: master.md §4). */
import { parseOptions, UsageError } from '../lib/process/getopt.js'

export const USAGE = `usage: master [-C imapd.conf] [-M cyrus.conf] [-p pidfile] [-l backlog] [-d | -D] [-L file] [-j n] [-r file] [-v] [-V]

  -C file   imapd.conf for master itself (/etc/imapd.conf); programs need their own -C in cmd=
  -M file   cyrus.conf (/etc/cyrus.conf)
  -p file   pid file (/var/run/cyrus-master.pid)
  -l n      listen backlog (1024)
  -d        become a daemon; returns once it is ready for work, with its exit status otherwise
  -D        stay, and leave stdin, stdout and stderr to the programs; log lines go to stderr too
  -L file   programs' stdout and stderr go to this file, appended
  -j n      sweeps of the child table a second (1)
  -r file   file that exists while master is ready for work ({configdirectory}/master.ready)
  -v        more logging, by master and its services
  -V        print the version
`

/**
 * Cyrus' default is 32. A burst that overflows it makes Linux answer with SYN cookies, and such a client waits for ever for a server that speaks
 * first, as IMAP's and LMTP's do. The kernel cuts it to net.core.somaxconn.
 */
const DEFAULT_BACKLOG = 1024

export interface MasterOptions {
  readonly imapdConf: string
  readonly cyrusConf: string
  /** -p; undefined when not given */
  readonly pidFile: string | undefined
  readonly backlog: number
  readonly daemon: boolean
  readonly keepStdio: boolean
  readonly outputFile: string | undefined
  readonly sweepsPerSecond: number
  readonly readyFile: string | undefined
  /** how many times -v was given */
  readonly verbose: number
  readonly version: boolean
  readonly help: boolean
}

/** @throws {UsageError} */
export function parseCommandLine(argv: readonly string[]): MasterOptions {
  // -P and -x are of Cyrus 2.3 (SNMP); taken, without effect
  const { options, repeated, args } = parseOptions('C:M:p:l:dDj:L:vVr:P:x:', argv)
  const text = (letter: string): string | undefined => options.get(letter) as string | undefined
  const number = (letter: string, fallback: number): number => {
    const value = text(letter) ?? String(fallback)
    if (!/^\d{1,6}$/.test(value)) throw new UsageError(`option -${letter}: "${value}" is no number`)
    return Number(value)
  }
  if (args.length > 0) throw new UsageError(`unexpected argument "${args[0]}"`)
  if (options.has('d') && options.has('D')) throw new UsageError('options -d and -D exclude each other')
  return {
    imapdConf: text('C') ?? '/etc/imapd.conf',
    cyrusConf: text('M') ?? '/etc/cyrus.conf',
    pidFile: text('p'),
    backlog: number('l', DEFAULT_BACKLOG),
    daemon: options.has('d'),
    keepStdio: options.has('D'),
    outputFile: text('L'),
    sweepsPerSecond: Math.max(1, number('j', 1)),
    readyFile: text('r'),
    verbose: repeated.filter(([letter]) => letter === 'v').length,
    version: options.has('V') || options.has('version'),
    help: options.has('help'),
  }
}
