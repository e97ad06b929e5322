/** imapd.conf and directories of a real Cyrus 3.6.1 instance for tests of the process model; belongs to cyrus:mail. */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const CYRUS_BIN = '/usr/lib/cyrus/bin'

export interface CyrusDirectory {
  readonly dir: string
  readonly imapdConf: string
  readonly cyrusConf: string
  readonly pidFile: string
}

/** @param password of the administrator `admin`, put into a sasldb as saslpasswd2 makes it */
export function cyrusDirectory(password: string): CyrusDirectory {
  const dir = mkdtempSync(join(tmpdir(), 'cy-'))
  const conf = join(dir, 'conf')
  for (const name of ['', 'db', 'log', 'msg', 'proc', 'lock', 'socket', 'sync', 'user', 'quota']) {
    mkdirSync(join(conf, name), { recursive: true })
  }
  mkdirSync(join(dir, 'spool'))
  mkdirSync(join(dir, 'run'))
  const imapdConf = join(dir, 'imapd.conf')
  writeFileSync(
    imapdConf,
    `configdirectory: ${conf}
partition-default: ${dir}/spool
defaultpartition: default
servername: localhost
admins: admin
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: ${conf}/sasldb2
sasl_mech_list: PLAIN LOGIN
lmtpsocket: ${conf}/socket/lmtp
idlesocket: ${conf}/socket/idle
notifysocket: ${conf}/socket/notify
proc_path: ${conf}/proc
mboxname_lockpath: ${conf}/lock
`,
  )
  execFileSync('saslpasswd2', ['-p', '-c', '-f', join(conf, 'sasldb2'), '-u', 'localhost', 'admin'], {
    input: password,
  })
  execFileSync('chown', ['-R', 'cyrus:mail', dir])
  chmodSync(dir, 0o755)
  return { dir, imapdConf, cyrusConf: join(dir, 'cyrus.conf'), pidFile: join(dir, 'run/master.pid') }
}
