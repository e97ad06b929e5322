/**
 * Which header fields are kept beside the index, so that FETCH BODY[HEADER.FIELDS] and SEARCH of them open no file:
 * what mail programs ask for, and all others that are not traces of transport or filters' reports. Pure.
 */
import type { HeaderField } from './header_fields.js'

const NEVER = new Set([
  'received',
  'return-path',
  'dkim-signature',
  'domainkey-signature',
  'domainkey-x509',
  'authentication-results',
  'received-spf',
  'arc-seal',
  'arc-message-signature',
  'arc-authentication-results',
  'delivery-date',
  'envelope-to',
  'autocrypt',
  'openpgp',
  'face',
  'feedback-id',
  'thread-index',
])
const ALWAYS = new Set([
  'x-priority',
  'x-msmail-priority',
  'x-mailer',
  'x-label',
  'x-original-to',
  'x-delivered-to',
  'x-spam-flag',
  'x-spam-score',
  'x-spam-status',
  'x-draft-info',
  'x-account-key',
  'x-uniform-type-identifier',
  'x-universally-unique-identifier',
  'x-mozilla-draft-info',
  'x-forwarded-message-id',
  'x-ref',
  'x-trace',
])

const MOST = 16 * 1024

/** @param name lower case */
export function isCachedHeader(name: string): boolean {
  return name.startsWith('x-') ? ALWAYS.has(name) : !NEVER.has(name)
}

/**
 * The fields to keep, as they stand in the message and in its order.
 * @returns undefined when they are more than is worth keeping; then every question needs the file
 */
export function cachedHeaderText(header: string, fields: HeaderField[]): string | undefined {
  let text = ''
  for (const field of fields) {
    if (!isCachedHeader(field.name)) continue
    text += header.slice(field.start, field.end)
    if (text.length > MOST) return undefined
  }
  return text
}
