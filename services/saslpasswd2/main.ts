/**
 * saslpasswd2: sets, makes and removes passwords in our password file. Options and exit statuses as Cyrus SASL's program of that name.
 */
import { hostname } from 'node:os'
import { Config, ConfigError } from '../../lib/config/config.js'
import { parseOptions, UsageError } from '../../lib/process/getopt.js'
import { passwordFile, wantsMd5 } from '../../lib/sasl/check_password.js'
import { canonicalUser, defaultRealm } from '../../lib/sasl/identity.js'
import { PasswordStore, PasswordStoreError } from '../../lib/sasl/password_store.js'
import { saslprep } from '../../lib/sasl/saslprep.js'
import { parseStoredKeys } from '../../lib/sasl/stored_keys.js'
import { readPassword } from './read_password.js'

const USAGE = `usage: saslpasswd2 [-v] [-c [-p] [-n] [-m] [-e]] [-d] [-a appname] [-C imapd.conf] [-f file] [-u domain] userid
  -p          pipe mode: read the password from standard input, without a prompt and without asking twice
  -c          create the user if there is none; so does every call without -d
  -d          delete the user
  -m          also keep what CRAM-MD5 and DIGEST-MD5 need, which is as good as the password to whoever steals it;
              done anyway if sasl_mech_list of imapd.conf names them
  -e          what is read is no password but what another server kept of it:
              SCRAM-SHA-256$4096:salt$stored:server, {SCRAM-SHA-256}4096,salt,stored,server (or SCRAM-SHA-1)
  -n          accepted; no plaintext password is ever kept
  -f file     the password file; else sasl_sasldb_path of imapd.conf, else sasldb.json in its configdirectory
  -u domain   the user's realm; else what follows @ in userid, else servername of imapd.conf, else this host's name
  -a appname  accepted; entries serve all applications
  -C file     imapd.conf; /etc/imapd.conf if neither -C nor -f is given
  -v          print the version and exit
`

/** A failure that is no usage error: message for stderr, exit status. */
class Failure extends Error {
  constructor(
    message: string,
    readonly exitStatus: number,
  ) {
    super(message)
  }
}

async function main(argv: string[]): Promise<void> {
  const { options, args } = parseOptions('pcdnmef:u:a:C:vh', argv)
  if (options.has('help') || options.has('h')) {
    process.stdout.write(USAGE)
    return
  }
  if (options.has('v') || options.has('version')) {
    process.stdout.write('saslpasswd2 of cyrus-ts\n')
    return
  }
  if (options.has('c') && options.has('d')) throw new UsageError('-c and -d exclude each other')
  if (args.length !== 1) throw new UsageError(args.length === 0 ? 'no userid given' : 'more than one userid given')

  const file = options.get('f') as string | undefined
  const configPath = options.get('C') as string | undefined
  const config =
    configPath !== undefined || file === undefined ? Config.load(configPath ?? '/etc/imapd.conf') : undefined
  const [name, givenRealm] = splitUser(args[0]!)
  const realm = (options.get('u') as string | undefined) || givenRealm || (config ? defaultRealm(config) : hostname())
  const user = config ? canonicalUser(config, name) : saslprep(name)?.toLowerCase()
  if (!user || !/^[^\s@]+$/.test(realm)) throw new Failure(`"${args[0]}" is no possible user name`, 64)
  const key = `${user}@${realm}`
  const store = new PasswordStore(file ?? passwordFile(config!))

  if (options.has('d')) {
    await store.remove(key)
    return
  }
  if (options.has('e')) {
    const text = await readPassword(options.has('p') || !process.stdin.isTTY)
    const keys = parseStoredKeys(text.trim())
    if (keys === undefined) throw new Failure('that is no SCRAM-SHA-256 or SCRAM-SHA-1 string', 1)
    await store.import({ user: key, ...keys })
    return
  }
  const password = saslprep(await readPassword(options.has('p') || !process.stdin.isTTY))
  if (password === undefined) throw new Failure('the password has characters that none may have', 1)
  if (password === '') throw new Failure('empty password refused', 7)
  if (Buffer.byteLength(password) > 1024) throw new Failure('the password is longer than 1024 bytes', 1)
  // Cyrus SASL's program makes a new user with or without -c.
  await store.set(key, password, { md5: options.has('m') || (config !== undefined && wantsMd5(config)) })
}

/** `name@realm` → both; realm empty if there is none. */
function splitUser(text: string): [name: string, realm: string] {
  const at = text.lastIndexOf('@')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

main(process.argv.slice(2)).catch((error: Error) => {
  process.stderr.write(`saslpasswd2: ${error.message}\n`)
  if (error instanceof UsageError) process.stderr.write(USAGE)
  process.exitCode =
    error instanceof UsageError
      ? 64
      : error instanceof Failure
        ? error.exitStatus
        : error instanceof ConfigError
          ? 78
          : error instanceof PasswordStoreError
            ? 71
            : 70
})
