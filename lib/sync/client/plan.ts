/**
 * What differs between master and replica, and what follows from it (csync.md §8, §9). Pure: states and records in, decisions out.
 */
import type { Annotation } from '../../store/store.js'
import type { MailboxState } from '../mailbox_codec.js'
import { isExpunged, type SyncRecord } from '../record_codec.js'

/** 0 or unknown on either side is a match. */
function crcMatches(a: number | undefined, b: number | undefined): boolean {
  return !a || !b || a === b
}

/** Whether two sets of annotations are the same; modseqs do not count. */
export function sameAnnotations(a: readonly Annotation[], b: readonly Annotation[]): boolean {
  if (a.length !== b.length) return false
  const text = ({ entry, userid, value }: Annotation): string => `${entry}\0${userid}\0${value.toString('latin1')}`
  const known = new Set(a.map(text))
  return b.every((annotation) => known.has(text(annotation)))
}

/** Whether the replica's mailbox is what ours is, so that nothing need be sent (csync.md §8.4 step 3). */
export function isUnchanged(ours: MailboxState, theirs: MailboxState): boolean {
  return (
    ours.mbtype === theirs.mbtype &&
    ours.lastUid === theirs.lastUid &&
    ours.highestModseq === theirs.highestModseq &&
    ours.uidvalidity === theirs.uidvalidity &&
    ours.recentUid === theirs.recentUid &&
    ours.recentTime === theirs.recentTime &&
    ours.pop3LastLogin === theirs.pop3LastLogin &&
    (ours.pop3ShowAfter ?? 0) === (theirs.pop3ShowAfter ?? 0) &&
    ours.options === theirs.options &&
    (!theirs.folderModseq || ours.folderModseq === theirs.folderModseq) &&
    ours.acl === theirs.acl &&
    (!ours.raclModseq || !theirs.raclModseq || ours.raclModseq === theirs.raclModseq) &&
    (!ours.xconvModseq || ours.xconvModseq === (theirs.xconvModseq ?? 0)) &&
    sameAnnotations(ours.annotations, theirs.annotations) &&
    crcMatches(ours.crc, theirs.crc) &&
    crcMatches(ours.crcAnnot, theirs.crcAnnot)
  )
}

/** A mailbox's identity and place. */
export interface Place {
  readonly uniqueid: string
  readonly name: string
  readonly partition: string | null
  /** a name without a mailbox, which is in nobody's way */
  readonly intermediate?: boolean
  /** nothing was ever in it */
  readonly empty?: boolean
}

/** A rename to be said. */
export interface Rename {
  readonly uniqueid: string
  readonly from: string
  readonly to: string
  readonly partition: string
}

/** What to do with folders before their contents. */
export interface FolderPlan {
  /** names whose mailbox is to be removed from the replica */
  readonly remove: readonly string[]
  /** in an order in which no target is taken */
  readonly renames: readonly Rename[]
  /** renames that cannot be, since a folder that nothing here explains has the name, and has had messages */
  readonly blocked: readonly Rename[]
  /** folders of the replica that nothing here explains, for the log */
  readonly unexplained: readonly string[]
}

/**
 * @param ours the local mailboxes concerned; @param theirs what the replica reported
 * @param isDeleted whether the mailbox of that name is known here to have been deleted, for folders whose uniqueid matches nothing
 * @param temporary a free name near another, through which mailboxes that exchanged their names are moved
 */
export function planFolders(
  ours: readonly Place[],
  theirs: readonly Place[],
  isDeleted: (folder: Place) => boolean,
  temporary: (folder: Place) => string,
  allow: { readonly partitionMoves: boolean } = { partitionMoves: true },
): FolderPlan {
  const byId = new Map(ours.map((place) => [place.uniqueid, place]))
  const taken = new Set(theirs.filter(({ intermediate }) => !intermediate).map(({ name }) => name))
  const remove: string[] = []
  const unexplained: string[] = []
  let pending: Rename[] = []
  for (const folder of theirs) {
    if (folder.intermediate) continue
    const local = byId.get(folder.uniqueid)
    if (local === undefined) {
      if (isDeleted(folder)) {
        remove.push(folder.name)
        taken.delete(folder.name)
      } else unexplained.push(folder.name)
      continue
    }
    const moves =
      allow.partitionMoves &&
      folder.partition !== null &&
      local.partition !== null &&
      folder.partition !== local.partition
    if (folder.name !== local.name || moves) {
      const partition = moves ? local.partition! : (folder.partition ?? local.partition ?? '')
      pending.push({ uniqueid: folder.uniqueid, from: folder.name, to: local.name, partition })
    }
  }
  const renames: Rename[] = []
  const done = (rename: Rename): void => {
    renames.push(rename)
    taken.delete(rename.from)
    taken.add(rename.to)
  }
  while (pending.length > 0) {
    const waiting = pending.filter((rename) => rename.to !== rename.from && taken.has(rename.to))
    const free = pending.filter((rename) => !waiting.includes(rename))
    free.forEach(done)
    if (free.length > 0) {
      pending = waiting
      continue
    }
    // only circles, and those behind a folder that nothing explains, are left
    const sources = new Set(waiting.map(({ from }) => from))
    const circular = waiting.find(({ to }) => sources.has(to))
    if (circular === undefined) {
      // a parent that the replica made up for a child stands where the real one belongs
      const strays = theirs.filter(
        ({ name, empty, uniqueid }) =>
          empty && !byId.has(uniqueid) && taken.has(name) && waiting.some(({ to }) => to === name),
      )
      if (strays.length === 0) return { remove, renames, unexplained, blocked: waiting }
      for (const { name } of strays) {
        remove.push(name)
        taken.delete(name)
      }
      continue
    }
    const aside = temporary({ ...circular, name: circular.from })
    done({ ...circular, to: aside })
    pending = waiting.map((rename) => (rename === circular ? { ...rename, from: aside } : rename))
  }
  return { remove, renames, unexplained, blocked: [] }
}

/** What the full comparison decides for one message (csync.md §9.1 step 3). */
export type Resolution =
  /** the master's message gets a new UID; the old one is expunged */
  | { readonly kind: 'renumber'; readonly uid: number; readonly guid: string }
  /** the replica's message is fetched and added on the master: under its own UID, or a new one */
  | { readonly kind: 'copyback'; readonly record: SyncRecord; readonly keepUid: boolean; readonly guid: string }
  /** the record is written again with a higher modseq: `flags` and annotations from the replica, or only expunged */
  | { readonly kind: 'rewrite'; readonly uid: number; readonly from: SyncRecord | undefined; readonly expunge: boolean }

/** Outcome of a full comparison. */
export interface Comparison {
  readonly resolutions: readonly Resolution[]
  /** UIDs to be expunged on the replica */
  readonly expungeThere: readonly number[]
}

/** A side's counters. */
export interface Counters {
  readonly lastUid: number
  readonly highestModseq: number
}

/**
 * Walks both record lists by UID.
 * @param ours, theirs in UID order  @param deletedModseq highest modseq of a record removed here for good
 */
export function compareRecords(
  ours: readonly SyncRecord[],
  theirs: readonly SyncRecord[],
  master: Counters & { readonly deletedModseq: number },
  replica: Counters,
): Comparison {
  const resolutions: Resolution[] = []
  const expungeThere: number[] = []
  let a = 0
  let b = 0
  while (a < ours.length || b < theirs.length) {
    const our = ours[a]
    const their = theirs[b]
    if (our !== undefined && (their === undefined || our.uid < their.uid)) {
      a++
      if (isExpunged(our)) continue
      if (our.uid <= replica.lastUid) resolutions.push({ kind: 'renumber', uid: our.uid, guid: our.guid })
      else if (our.modseq <= replica.highestModseq)
        resolutions.push({ kind: 'rewrite', uid: our.uid, from: undefined, expunge: false })
    } else if (their !== undefined && (our === undefined || their.uid < our.uid)) {
      b++
      if (isExpunged(their)) continue
      if (their.uid > master.lastUid) {
        resolutions.push({ kind: 'copyback', record: their, keepUid: true, guid: their.guid })
      } else if (their.modseq < master.deletedModseq) {
        expungeThere.push(their.uid)
      } else {
        resolutions.push({ kind: 'copyback', record: their, keepUid: false, guid: their.guid })
        expungeThere.push(their.uid)
      }
    } else {
      a++
      b++
      resolutions.push(...compareSame(our!, their!, expungeThere))
    }
  }
  return { resolutions, expungeThere }
}

function compareSame(our: SyncRecord, their: SyncRecord, expungeThere: number[]): Resolution[] {
  const gone = isExpunged(our)
  const goneThere = isExpunged(their)
  if (gone && goneThere) return []
  if (our.guid !== their.guid) {
    const both: Resolution[] = []
    if (!gone) both.push({ kind: 'renumber', uid: our.uid, guid: our.guid })
    if (!goneThere) {
      both.push({ kind: 'copyback', record: their, keepUid: false, guid: their.guid })
      expungeThere.push(their.uid)
    }
    return both.sort((x, y) => (guidOf(x) < guidOf(y) ? -1 : 1))
  }
  if (sameRecord(our, their)) return []
  if (gone || goneThere) return [{ kind: 'rewrite', uid: our.uid, from: undefined, expunge: true }]
  const theirsWins = their.modseq > our.modseq && their.lastUpdated >= our.lastUpdated
  return [{ kind: 'rewrite', uid: our.uid, from: theirsWins ? their : undefined, expunge: false }]
}

const guidOf = (resolution: Resolution): string => ('guid' in resolution ? resolution.guid : '')

function sameRecord(a: SyncRecord, b: SyncRecord): boolean {
  return (
    a.modseq === b.modseq &&
    a.lastUpdated === b.lastUpdated &&
    a.internaldate === b.internaldate &&
    sameFlags(a.flags, b.flags) &&
    sameAnnotations(a.annotations, b.annotations)
  )
}

function sameFlags(a: readonly string[], b: readonly string[]): boolean {
  if (a.length !== b.length) return false
  const known = new Set(a.map((flag) => flag.toLowerCase()))
  return b.every((flag) => known.has(flag.toLowerCase()))
}

/** Mailbox annotations after a full comparison: those of the side whose HIGHESTMODSEQ was higher, the master's if equal (csync.md §9.1 step 5). */
export function mergeAnnotations(
  ours: readonly Annotation[],
  theirs: readonly Annotation[],
  theirsWin: boolean,
): Annotation[] {
  return theirsWin ? [...theirs] : [...ours]
}
