/** Documentation that can be checked: the page made from the option table, and a page and --help for every program. */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { program, ROOT } from '../lab/software.js'
import { imapdConfPage, PAGE } from './imapd_conf_page.js'

t.test('docs/imapd.conf.5.md is what the option table says (make docs)', async (t) => {
  t.equal(readFileSync(PAGE, 'utf8'), imapdConfPage())
})

t.test('every program has a page and --help', async (t) => {
  const names = [...readdirSync(join(ROOT, 'services')), 'master']
  for (const name of names) {
    t.ok(existsSync(join(ROOT, 'docs', `${name}.8.md`)), `docs/${name}.8.md`)
    const help = execFileSync(program('ours', name), ['--help'], { encoding: 'utf8' })
    t.match(help, /usage/i, `${name} --help`)
    t.ok(help.includes(name), `${name} --help names it`)
  }
})
