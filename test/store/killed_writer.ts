/** Appends one message to a mailbox and dies by SIGKILL the moment the commit is done, before anything that follows a commit. */
import { Config } from '../../lib/config/config.js'
import { InMemory, MailStore, NULL_THRID, NULL_UUID, syncLogLine } from '../../lib/store/store.js'
import { SyncLog } from '../../lib/store/sync_log.js'

SyncLog.prototype.write = () => {
  process.kill(process.pid, 'SIGKILL')
  return new Promise(() => {})
}
const quiet = { debug() {}, info() {}, notice() {}, warning() {}, error() {} }
const store = await MailStore.open(Config.load(process.argv[2]!), quiet)
const staged = await store.stageBuffer('default', Buffer.from('hello'))
const inMemory = new InMemory(Buffer.from('hello'))
if (process.argv[4] === 'memory') await store.placeAhead(store.mailboxById(Number(process.argv[3]))!, [[1, inMemory]])
await store.write((txn) => {
  const fields = {
    uid: 1,
    modseq: 2,
    createdModseq: 2,
    lastUpdated: 1,
    internaldate: 1,
    sentdate: 0,
    savedate: 1,
    headerSize: 0,
    flags: 0,
  }
  const record = {
    ...fields,
    size: 5,
    guid: staged.guid,
    uuid: NULL_UUID,
    thrid: NULL_THRID,
    userFlags: new Uint32Array(4),
  }
  txn
    .mustMailbox(Number(process.argv[3]))
    .append(record, process.argv[4] === 'memory' ? inMemory : staged.path, undefined)
  txn.log(syncLogLine('MAILBOX', 'user.alice'))
})
