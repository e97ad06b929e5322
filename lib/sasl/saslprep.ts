/**
 * SASLprep (RFC 4013), by which two spellings of one name or password compare equal. Pure.
 * Covers its mapping, NFKC and prohibited characters; the bidirectional check of RFC 3454 §6 is left out, as it only refuses more.
 */

/** RFC 3454 table C.1.2: spaces that become U+0020. */
const SPACES = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g
/** RFC 3454 table B.1: commonly mapped to nothing. */
const NOTHING = /\u034f|\u200d|[\u00ad\u1806\u200c\u2060\ufeff]|[\u180b-\u180d]|[\ufe00-\ufe0f]/g
/** RFC 3454 tables C.2 to C.9: controls, private use, surrogates, non-characters and tags. */
const PROHIBITED =
  /[\u0000-\u001f\u007f-\u009f\u06dd\u070f\u180e\u2028-\u202e\u2061-\u2063\u206a-\u206f\ufff9-\uffff\ue000-\uf8ff\u{1d173}-\u{1d17a}\u{e0001}-\u{e007f}\u{f0000}-\u{10ffff}\ud800-\udfff]/u

/** @returns the prepared text, or undefined if it has a character that no name or password may have */
export function saslprep(text: string): string | undefined {
  // ASCII is most of the world; only its controls are refused.
  const prepared = /^[\x20-\x7e]*$/.test(text) ? text : text.replace(SPACES, ' ').replace(NOTHING, '').normalize('NFKC')
  return PROHIBITED.test(prepared) ? undefined : prepared
}
