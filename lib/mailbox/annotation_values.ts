/** Annotations that are not kept as such: what the server knows of a mailbox, its options, the disks, the administrator's notices. */
import { formatDateTime } from '../imap/date_time.js'
import { readNotice } from '../process/notices.js'
import { type MailboxHeader, type MailStore, VENDOR } from '../store/store.js'
import { OPTION_ENTRIES } from './annotations.js'

/** The shared value of an entry of a mailbox that is computed or a field. @returns undefined if it has none now */
export function mailboxValue(header: MailboxHeader, name: string): string | undefined {
  const option = OPTION_ENTRIES.get(name)
  if (option !== undefined) return String(header.options.includes(option))
  const date = (seconds: number): string | undefined => (seconds === 0 ? undefined : formatDateTime(seconds))
  switch (name.slice(VENDOR.length)) {
    case 'uniqueid':
      return header.uniqueid
    case 'synccrcs':
      return `${header.crcBasic} ${header.crcAnnot}`
    case 'size':
      return String(header.octets)
    case 'pop3showafter':
      return date(header.pop3ShowAfter)
    case 'lastpop':
      return date(header.pop3LastLogin)
    case 'lastupdate':
      return date(header.changedAt)
    case 'partition':
      return header.partition
    case 'foldermodseq':
      return String(header.folderModseq)
    case 'hasalarms':
      return 'false'
    case 'annotsize':
      return String(header.annotationOctets)
    default:
      return undefined
  }
}

/** The shared value of such an entry of the server. */
export function serverValue(store: MailStore, name: string): string | undefined {
  switch (name) {
    case '/motd':
      return readNotice(store.config, 'motd')
    case `${VENDOR}shutdown`:
      return readNotice(store.config, 'shutdown')
  }
  const disks = store.freeSpace()
  const most = (key: (disk: { free: number; total: number }) => number) =>
    disks.reduce((best, disk) => (key(disk) > key(best) ? disk : best))
  switch (name.slice(VENDOR.length)) {
    case 'freespace':
      return String(most(({ free }) => free).free)
    case 'freespace/total': {
      const { free, total } = most((disk) => disk.free)
      return `${free};${total}`
    }
    case 'freespace/percent/most': {
      const { free, total } = most((disk) => disk.free / disk.total)
      return `${free};${total}`
    }
    default:
      return undefined
  }
}
