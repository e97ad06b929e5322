/** imapd.conf: grammar of both generations, types, overrides, and errors that name file and line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Config, ConfigError } from '../../lib/config/config.js'

const directory = mkdtempSync(join(tmpdir(), 'config-'))
t.teardown(() => rmSync(directory, { recursive: true }))

function file(name: string, text: string): string {
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}

t.test('values of every type, comments, continuation, defaults', async (t) => {
  const path = file(
    'a.conf',
    [
      '# a comment',
      'ConfigDirectory: /var/lib/x/',
      'admins: cyrus \\',
      '   repl',
      '  sync_log: t   ',
      'timeout: 45',
      'sync_timeout: 1h30m',
      'maxmessagesize: 10m',
      'sync_machineid: 7',
      'partition-default: /var/spool/x',
      'partition-two: /two',
      'chan_sync_host: there',
    ].join('\n'),
  )
  const config = Config.load(path)
  t.equal(config.directory, '/var/lib/x')
  t.same(config.list('admins'), ['cyrus', 'repl'])
  t.equal(config.switch('sync_log'), true)
  t.equal(config.duration('timeout'), 45 * 60, 'a bare number takes the option’s own unit')
  t.equal(config.duration('sync_timeout'), 5400)
  t.equal(config.size('maxmessagesize'), 10 * 1024 * 1024)
  t.equal(config.int('sync_machineid'), 7)
  t.same(
    [...config.partitions()],
    [
      ['default', '/var/spool/x'],
      ['two', '/two'],
    ],
  )
  t.equal(config.overflow('chan_sync_host'), 'there')
  t.equal(config.switch('unixhierarchysep'), true, 'default of the table')
  t.equal(config.isSet('sync_repeat_interval'), false)
})

t.test('a service’s own value wins, before or after the plain one', async (t) => {
  const path = file('b.conf', 'imap_timeout: 40m\ntimeout: 50m\nadmins: a\nlmtp_admins: b\n')
  t.equal(Config.load(path, { service: 'imap' }).duration('timeout'), 2400)
  t.equal(Config.load(path, { service: 'lmtp' }).duration('timeout'), 3000)
  t.equal(Config.load(path, { service: 'lmtp' }).string('admins'), 'b')
})

t.test('names of older releases mean what they meant', async (t) => {
  const warned: string[] = []
  const text = 'tls_cert_file: /a\nimap_tls_key_file: /k\nautocreatequota: 7\ntls_server_cert: /b\n'
  const config = Config.load(file('former.conf', text), { service: 'imap', warn: (message) => warned.push(message) })
  t.equal(config.string('tls_server_cert'), '/b', 'the current name wins')
  t.equal(config.string('tls_server_key'), '/k')
  t.equal(config.size('autocreate_quota'), 7 * 1024)
  t.same(warned, [])
  t.equal(Config.load(file('former2.conf', 'tls_server_cert: /b\ntls_cert_file: /a\n')).string('tls_server_cert'), '/b')
  t.throws(() => Config.load(file('former3.conf', 'tls_cert_file: /a\ntls_cert_file: /b\n')), {
    message: /former3.conf:2: "tls_cert_file" was already given on line 1/,
  })
})

t.test('@include, relative to the including file', async (t) => {
  file('inner.conf', 'servername: inner\n')
  const path = file('c.conf', '@include: inner.conf\nadmins: x\n')
  t.equal(Config.load(path).string('servername'), 'inner')
})

t.test('unknown options warn and stop nothing; those of Cyrus, of channels and of services do not warn', async (t) => {
  const warnings: string[] = []
  const path = file(
    'd.conf',
    'nosuchthing: 1\ncaldav_realm: x\nchan_sync_port: 1\nimap_timeout: 31m\nsasl_whatever: 2\nsearch_engine: xapian\n',
  )
  Config.load(path, { warn: (message) => warnings.push(message) })
  t.same(warnings, [`${path}:1: unknown option "nosuchthing", ignored`])
})

t.test('errors name file, line and what is wanted', async (t) => {
  const cases: [string, string][] = [
    ['admins\n', ':1: expected "option: value", got "admins"'],
    ['\nadmins:\n', ':2: "admins" has no value'],
    ['admins: a\nadmins: b\n', ':2: "admins" was already given on line 1 of '],
    ['sync_log: maybe\n', ':1: sync_log must be yes or no, not "maybe"'],
    [
      'x: 1\nsync_timeout: 3 parsecs\n',
      ':2: sync_timeout must be a duration such as 10s, 5m, 1h or 2d, not "3 parsecs"',
    ],
    ['maxmessagesize: big\n', ':1: maxmessagesize must be a size such as 512, 64k or 10m, not "big"'],
    ['sync_machineid: 300\n', ':1: sync_machineid must be 1 to 255, not "300"'],
    ['sync_machineid: 0\n', ':1: sync_machineid must be 1 to 255, not "0"'],
    ['sync_machineid: -2\n', ':1: sync_machineid must be 1 to 255, not "-2"'],
    ['delete_mode: later\n', ':1: delete_mode must be one of immediate, delayed, not "later"'],
    ['configdirectory: relative\n', ':1: configdirectory must be an absolute path other than /'],
    ['partition-default: spool\n', ':1: partition-default must be an absolute path, not "spool"'],
    ['@nonsense: x\n', ':1: unknown directive "@nonsense"'],
    ['\n@include: missing.conf\n', ':2: '],
    ['admins: a \\\n b\n: x\n', ':3: expected'],
  ]
  for (const [text, message] of cases) {
    const path = file('bad.conf', text)
    try {
      Config.load(path)
      t.fail(`accepted ${JSON.stringify(text)}`)
    } catch (error) {
      t.ok(error instanceof ConfigError)
      t.ok((error as Error).message.includes(`bad.conf${message}`), (error as Error).message)
    }
  }
  const self = file('self.conf', '@include: self.conf\n')
  t.throws(() => Config.load(self), /self.conf:1: .*includes itself/)
  t.throws(() => Config.load(join(directory, 'none.conf')), /none.conf: cannot be read/)
})
