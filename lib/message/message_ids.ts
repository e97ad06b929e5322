/** Message identifiers out of References, In-Reply-To and Message-ID, as threading compares them (RFC 5256 §3). Pure. */

/** Identifiers of a References field that are looked at: the first, and those before the last (Cyrus' bound). */
const MOST = 20

/** All `<…>` in a field's value, in order, white space within taken out; at most 20. */
export function messageIds(value: string): string[] {
  const found: string[] = []
  for (const match of value.matchAll(/<([^<>]{1,998})>/g)) {
    const id = match[1]!.replace(/\s+/g, '')
    if (id === '') continue
    if (found.length === MOST) found.splice(1, 1)
    found.push(id)
  }
  return found
}
