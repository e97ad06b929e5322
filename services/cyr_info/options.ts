/** imapd.conf in lines `name: value`: as it is, as it differs from the defaults, and what of it nobody knows. */
import type { Config } from '../../lib/config/config.js'
import { isKnownElsewhere } from '../../lib/config/known_elsewhere.js'
import { OPTIONS, type Option } from '../../lib/config/options.js'
import { formatDuration, formatSize } from '../../lib/config/values.js'

/** An option's value as a text that imapd.conf takes. */
function show(option: Option, value: string | number | boolean | undefined): string {
  if (value === undefined) return ''
  if (option.type === 'switch') return value ? 'yes' : 'no'
  if (option.type === 'duration') return formatDuration(value as number)
  if (option.type === 'size') return formatSize(value as number)
  return String(value)
}

function currentValue(config: Config, option: Option): string | number | boolean | undefined {
  return config[option.type](option.name)
}

const byName = (): Option[] => [...OPTIONS.values()].sort((a, b) => (a.name < b.name ? -1 : 1))

/** Settings that are no options of the table: partitions, options that have no effect here. */
function others(config: Config): string[] {
  return config.settings().flatMap(({ name, value }) => (OPTIONS.has(name) ? [] : [`${name}: ${value}`]))
}

/** Every option with its value, then what else the file says. */
export function effectiveOptions(config: Config): string[] {
  const lines = byName().map((option) => `${option.name}: ${show(option, currentValue(config, option))}`.trimEnd())
  return [...lines, ...others(config)]
}

/** Options whose value is not the default, then what else the file says. */
export function changedOptions(config: Config): string[] {
  const lines = byName()
    .filter((option) => currentValue(config, option) !== option.default)
    .map((option) => `${option.name}: ${show(option, currentValue(config, option))}`)
  return [...lines, ...others(config)]
}

/** Every option with its default. */
export function defaultOptions(): string[] {
  return byName().map((option) => `${option.name}: ${show(option, option.default)}`.trimEnd())
}

/** Families whose names the administrator completes. */
const OPEN =
  /^(partition|archivepartition|metapartition|backuppartition|searchpartition|\w*searchpartition|xlist)-|^sasl_/

/**
 * What neither we nor Cyrus know, nor a service's or a channel's form of it.
 * @param services names of cyrus.conf
 */
export function unknownOptions(config: Config, services: readonly string[]): string[] {
  const isKnown = (name: string): boolean => OPTIONS.has(name) || isKnownElsewhere(name) || OPEN.test(name)
  const channels = config.list('sync_log_channels')
  const isForm = (name: string): boolean =>
    services.some(
      (service) => name.startsWith(`${service.toLowerCase()}_`) && isKnown(name.slice(service.length + 1)),
    ) ||
    channels.some((channel) => {
      const rest = name.slice(channel.length + 1)
      return name.startsWith(`${channel.toLowerCase()}_`) && rest.startsWith('sync_') && isKnown(rest)
    })
  return config.settings().flatMap(({ name, value }) => (isKnown(name) || isForm(name) ? [] : [`${name}: ${value}`]))
}
