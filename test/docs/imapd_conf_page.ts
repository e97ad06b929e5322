/** docs/imapd.conf.5.md, made from the one table of options so that the two cannot differ. Run as a program it writes the page (`make docs`). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { OPTIONS, type Option } from '../../lib/config/options.js'
import { formatDuration, formatSize } from '../../lib/config/values.js'
import { ROOT } from '../lab/software.js'

export const PAGE = join(ROOT, 'docs/imapd.conf.5.md')

const HEAD = `# imapd.conf(5)

The file that every program of cyrus-ts reads, \`/etc/imapd.conf\` unless \`-C FILE\` names another.

## Grammar

    # a comment
    option: value
    option: a long value \\
      goes on here
    @include: other.conf

- Option names are letters, digits, \`-\` and \`_\`, in any case; the value ends at the end of the line, blanks around it do not count.
- A \`\\\` at the end of a line joins the next one to it.
- \`@include: FILE\` reads another file in place; a relative name is looked up beside the including file.
- \`NAME_option: value\` is read instead of \`option\` by the service that cyrus.conf calls NAME, and by \`sync_client -n NAME\` for its channel.
- An option may stand once. A value of the wrong type, or a line that is no statement, stops the program with status 78
  and a message that names file and line. An option that nobody knows is a warning in the log.

Types: a *switch* is \`yes on t true 1\` or \`no off f false 0\`. A *duration* is a number with \`d\`, \`h\`, \`m\`, \`s\`, several of them add up
(\`1h30m\`); the unit of a bare number is given below. A *size* is a number with \`k\`, \`m\`, \`g\` (1024 each); a bare number is bytes.

Partitions are declared by \`partition-NAME: /absolute/path\`. Options of Cyrus that are not listed here are accepted and have no effect.

## Options

`

function defaultOf(option: Option): string {
  if (option.default === undefined) return 'none'
  if (option.type === 'switch') return option.default ? 'yes' : 'no'
  if (option.type === 'duration') return formatDuration(option.default)
  if (option.type === 'size') return formatSize(option.default)
  return option.default === '' ? 'empty' : String(option.default)
}

function typeOf(option: Option): string {
  if (option.type === 'duration')
    return `duration, bare number in ${{ d: 'days', h: 'hours', m: 'minutes', s: 'seconds' }[option.unit]}`
  if (option.type === 'string' && option.values !== undefined)
    return option.values.slice(0, 4).join(', ') + (option.values.length > 4 ? ', …' : '')
  if (option.type === 'int' && option.min !== undefined && option.max !== undefined)
    return `${option.min} to ${option.max}`
  return option.type
}

/** The whole page. */
export function imapdConfPage(): string {
  const entries = [...OPTIONS.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const lines = entries.map(
    (option) =>
      `**${option.name}** (${typeOf(option)}; default: ${defaultOf(option)})${option.since === undefined ? '' : ', not in Cyrus'}\n: ${option.meaning}\n`,
  )
  return HEAD + lines.join('\n')
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, imapdConfPage())
