/**
 * RFC 2231 §3 parameter continuations: `name*0`, `name*1*` … joined into one `name` or `name*`. When simple and
 * extended pieces are mixed, the simple ones are percent-encoded. Pure.
 */
import type { Parameter } from './content_fields.js'

const MAX_SECTIONS = 100

function percentEncoded(value: string): string {
  return value.replace(
    /[\x00-\x20\x7f-\xff*'%()<>@,;:\\"/[\]?=]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  )
}

function join(base: string, first: Parameter, take: (name: string) => Parameter | undefined): Parameter {
  let extended = first.name.endsWith('*')
  let value = first.value
  for (let section = 1; section < MAX_SECTIONS; section += 1) {
    const next = take(`${base}*${section}`) ?? take(`${base}*${section}*`)
    if (!next) break
    if (!next.name.endsWith('*')) {
      value += extended ? percentEncoded(next.value) : next.value
    } else {
      if (!extended) value = `''${percentEncoded(value)}`
      value += next.value
      extended = true
    }
  }
  return { name: extended ? `${base}*` : base, value }
}

/** @param list parameters as they stand in the field, names in upper case  @returns them with continuations joined */
export function joinContinuations(list: Parameter[]): Parameter[] {
  if (!list.some((parameter) => /\*0\*?$/.test(parameter.name))) return list
  const waiting = new Map<string, Parameter>()
  for (const parameter of list) if (!waiting.has(parameter.name)) waiting.set(parameter.name, parameter)
  const taken = new Set<Parameter>()
  const take = (name: string): Parameter | undefined => {
    const found = waiting.get(name)
    if (!found || taken.has(found)) return undefined
    taken.add(found)
    return found
  }
  const joined = list.map((parameter) => {
    const base = /^([^*]*)\*0\*?$/.exec(parameter.name)?.[1]
    return base === undefined || taken.has(parameter) ? parameter : join(base, parameter, take)
  })
  return joined.filter((_, index) => !taken.has(list[index]!))
}
