/**
 * The walls of the house (ARCHITECTURE.md): who may import whom, who may open files and the database. Read from the sources themselves.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
/** Ground floor first; a folder imports only those before it. */
const FLOORS = ['os', 'config', 'process', 'net', 'message', 'imap', 'store', 'mailbox', 'sasl', 'sync']
/** Folders that compute and nothing else. */
const PURE = ['lib/message', 'lib/imap']
const NODE_IO = /^node:(fs|net|tls|child_process|http|https|dgram|worker_threads|cluster)/

interface Import {
  file: string
  target: string
}

function sources(directory: string): string[] {
  return readdirSync(join(ROOT, directory), { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name)
    return entry.isDirectory() ? sources(path) : entry.name.endsWith('.ts') ? [path] : []
  })
}

/** Imports of a file: relative ones as paths from the root, others as written. */
function imports(file: string): Import[] {
  const text = readFileSync(join(ROOT, file), 'utf8')
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\b[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'|import\('([^']+)'\)/gm),
  ]
  return found.map((match) => {
    const target = (match[1] ?? match[2] ?? match[3])!
    return { file, target: target.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), target)) : target }
  })
}

const all = ['lib', 'services', 'master'].flatMap((directory) => sources(directory).flatMap(imports))

/** `lib/NAME` → NAME's floor; undefined for anything else. */
function floor(path: string): number | undefined {
  const [top, folder] = path.split('/')
  return top === 'lib' ? FLOORS.indexOf(folder!) : undefined
}

t.test('there is something to look at', async (t) => {
  t.ok(all.length > 100)
  for (const folder of readdirSync(join(ROOT, 'lib'))) t.ok(FLOORS.includes(folder), `lib/${folder} has a floor`)
})

t.test('lib imports only downward, and neither services nor master', async (t) => {
  const wrong = all.filter(({ file, target }) => {
    const from = floor(file)
    if (from === undefined) return false
    const to = floor(target)
    return to === undefined ? /^(services|master|test|bench)\//.test(target) : to > from
  })
  t.same(wrong, [])
})

t.test('a service imports no other service; master imports lib/os, lib/config, lib/process only', async (t) => {
  const wrong = all.filter(({ file, target }) => {
    const [top, name] = file.split('/')
    if (top === 'services')
      return target.startsWith('master/') || (target.startsWith('services/') && target.split('/')[1] !== name)
    if (top === 'master')
      return (
        target.startsWith('services/') || (target.startsWith('lib/') && !/^lib\/(os|config|process)\//.test(target))
      )
    return false
  })
  t.same(wrong, [])
})

t.test('lib/message and lib/imap do no I/O', async (t) => {
  const wrong = all.filter(
    ({ file, target }) => PURE.some((folder) => file.startsWith(`${folder}/`)) && NODE_IO.test(target),
  )
  t.same(wrong, [])
})

t.test('only lib/store opens the database, only lib/os calls native code', async (t) => {
  t.same(
    all.filter(({ file, target }) => target === 'lmdb' && !file.startsWith('lib/store/')),
    [],
  )
  t.same(
    all.filter(({ file, target }) => target === 'koffi' && !file.startsWith('lib/os/')),
    [],
  )
})

t.test('every option of the table is read somewhere', async (t) => {
  const table = readFileSync(join(ROOT, 'lib/config/options.ts'), 'utf8')
  const names = [...table.matchAll(/^ {2}(?:string|toggle|int|duration|size)\(\s*'([a-z0-9_]+)'/gm)].map(
    (match) => match[1]!,
  )
  t.ok(names.length > 40)
  const text = ['lib', 'services', 'master']
    .flatMap(sources)
    .filter((file) => !file.startsWith('lib/config/options') && !file.startsWith('lib/config/known'))
    .map((file) => readFileSync(join(ROOT, file), 'utf8'))
    .join('\n')
  t.same(
    names.filter((name) => !text.includes(`'${name}'`)),
    [],
    'an option without effect belongs in known_elsewhere.ts',
  )
})
