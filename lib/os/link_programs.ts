/**
 * Run by the build: `node link_programs.js DIR` writes an executable for each program into DIR; `--install PREFIX` copies the compiled
 * tree with the packages it needs below PREFIX/lib/cyrus-ts and puts the executables into PREFIX/bin.
 *
 * An executable is a small sh script that execs node on the program's main.js, so that the process id stays what master forked. It finds
 * main.js relative to itself (links to it are followed), so a tree can be moved; it runs the node that built it, or else the one in
 * PATH. Needs nothing but Node's own modules.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * V8 flags for long-lived programs of which many run at once. Measured with lmtpd after 1,500 deliveries over 60 connections: 57 MB private
 * memory without flags, 40 MB with --optimize-for-size and a young generation of at most 2 MB. One of 8 MB, which only busy processes come
 * to, needs no more for 1,000 idle IMAP connections (60 KiB each, all told; without --optimize-for-size 100) and spares a quarter of the
 * processor's time where a mailbox of 20,000 messages is read. (`--jitless` and a smaller thread pool of V8's saved little more memory and
 * cost up to half of the rate.)
 */
const NODE_FLAGS = ['--max-semi-space-size=8', '--optimize-for-size']

/**
 * Those of the ends of replication, of which few run: with a larger young generation an upload of 5,000 messages takes sync_server a quarter
 * less processor time, and 100,000 messages still go in under 150 MB.
 */
const REPLICATION_FLAGS = ['--max-semi-space-size=8', '--optimize-for-size']
const REPLICATION = /\/sync_(?:server|client)\/main\.js$/

/** Threads for file I/O and database commits: a service keeps one of them waiting for connections. */
const POOL_THREADS = 6

/** Every program of a compiled tree: name → path of its main.js relative to the tree. */
export function findPrograms(dist: string): Map<string, string> {
  const programs = new Map<string, string>()
  if (existsSync(join(dist, 'master/main.js'))) programs.set('master', 'master/main.js')
  const services = join(dist, 'services')
  for (const name of existsSync(services) ? readdirSync(services).sort() : []) {
    if (existsSync(join(services, name, 'main.js'))) programs.set(name, `services/${name}/main.js`)
  }
  return programs
}

/**
 * The text of an executable.
 * @param main path of main.js relative to the executable's own directory
 * @param node absolute path of the node to prefer
 */
export function launcher(main: string, node: string): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
  return `#!/bin/sh
# Written by the build. Starts ${main} with the node that built it, or else the one in PATH.
self=$0
while [ -L "$self" ]; do
  link=$(readlink "$self")
  case $link in
    /*) self=$link ;;
    *) self=\${self%/*}/$link ;;
  esac
done
case $self in
  */*) here=\${self%/*} ;;
  *) here=. ;;
esac
node=${quoted(node)}
[ -x "$node" ] || node=node
export UV_THREADPOOL_SIZE="\${UV_THREADPOOL_SIZE:-${POOL_THREADS}}" CYRUS_BINDIR="$here"
exec "$node" ${(REPLICATION.test(main) ? REPLICATION_FLAGS : NODE_FLAGS).join(' ')} "$here"/${quoted(main)} "$@"
`
}

/** Writes an executable for each program of `dist` into `bin`, each in one step, so that a running master never sees half a file. */
export function linkPrograms(dist: string, bin: string): string[] {
  mkdirSync(bin, { recursive: true })
  const names: string[] = []
  for (const [name, main] of findPrograms(dist)) {
    const path = join(bin, name)
    const text = launcher(relative(bin, join(dist, main)), process.execPath)
    names.push(name)
    if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
    writeFileSync(`${path}.new`, text)
    chmodSync(`${path}.new`, 0o755)
    renameSync(`${path}.new`, path)
  }
  return names
}

/** The packages that run with the programs: package-lock.json's entries that are for production, as paths below node_modules. */
export function productionPackages(root: string): string[] {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean }>
  }
  return Object.entries(lock.packages)
    .filter(([path, { dev }]) => path.startsWith('node_modules/') && dev !== true && existsSync(join(root, path)))
    .map(([path]) => path)
}

/** Copies the programs below a prefix. Tests and benchmarks stay behind. */
export function install(root: string, dist: string, prefix: string): string[] {
  const home = join(prefix, 'lib/cyrus-ts')
  rmSync(home, { recursive: true, force: true })
  mkdirSync(home, { recursive: true })
  for (const part of ['master', 'services', 'lib']) {
    if (existsSync(join(dist, part))) cpSync(join(dist, part), join(home, 'dist', part), { recursive: true })
  }
  for (const path of productionPackages(root)) {
    cpSync(join(root, path), join(home, path), { recursive: true, dereference: true })
  }
  cpSync(join(root, 'package.json'), join(home, 'package.json'))
  return linkPrograms(join(home, 'dist'), join(prefix, 'bin'))
}

function main(argv: readonly string[]): void {
  const dist = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
  const usage = 'usage: link_programs.js DIR | --install PREFIX\n'
  if (argv.includes('--help')) {
    process.stdout.write(usage)
  } else if (argv.length === 2 && argv[0] === '--install') {
    const names = install(dirname(dist), dist, resolve(argv[1]!))
    process.stdout.write(`${names.length} programs in ${join(argv[1]!, 'bin')}\n`)
  } else if (argv.length === 1 && !argv[0]!.startsWith('-')) {
    linkPrograms(dist, resolve(argv[0]!))
  } else {
    process.stderr.write(usage)
    process.exitCode = 64
  }
}

if (process.argv[1] && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  try {
    main(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`link_programs: ${(error as Error).message}\n`)
    process.exitCode = 71
  }
}
