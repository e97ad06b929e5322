/** The secret with which a user's URLAUTH tokens for a mailbox are made (RFC 4467 §4), kept in the store; never replicated. */
import { randomBytes } from 'node:crypto'
import type { MailboxHeader, MailStore } from '../store/store.js'

/** A user's key for a mailbox; undefined if none was ever asked for, or it was reset. */
export function urlKey(store: MailStore, userid: string, mailbox: MailboxHeader): Buffer | undefined {
  return store.urlKey(userid, mailbox.uniqueid)
}

/** As urlKey, made when there is none. */
export async function ensureUrlKey(store: MailStore, userid: string, mailbox: MailboxHeader): Promise<Buffer> {
  return (
    urlKey(store, userid, mailbox) ??
    store.write((txn) => {
      const known = txn.urlKey(userid, mailbox.uniqueid)
      if (known) return known
      const fresh = randomBytes(32)
      txn.setUrlKey(userid, mailbox.uniqueid, fresh)
      return fresh
    })
  )
}

/** Makes all tokens of a user worthless, for one mailbox or for all. */
export async function resetUrlKeys(store: MailStore, userid: string, mailbox?: MailboxHeader): Promise<void> {
  await store.write((txn) => {
    if (mailbox) txn.setUrlKey(userid, mailbox.uniqueid, undefined)
    else txn.removeUrlKeys(userid)
  })
}
