/** All commands by name. */

import type { Command } from './command.js'
import { getannotation, setannotation } from './commands/annotatemore.js'
import { append } from './commands/append.js'
import { authenticate } from './commands/authenticate.js'
import { cancelupdate } from './commands/cancelupdate.js'
import { capability } from './commands/capability.js'
import { check } from './commands/check.js'
import { close } from './commands/close.js'
import { compress } from './commands/compress.js'
import { copy } from './commands/copy.js'
import { create } from './commands/create.js'
import { deleteCommand } from './commands/delete.js'
import { enable } from './commands/enable.js'
import { expunge } from './commands/expunge.js'
import { fetch } from './commands/fetch.js'
import { genurlauth, resetkey } from './commands/genurlauth.js'
import { getacl } from './commands/getacl.js'
import { getmetadata } from './commands/getmetadata.js'
import { getquota, getquotaroot } from './commands/getquota.js'
import { id } from './commands/id.js'
import { idle } from './commands/idle.js'
import { list, xlist } from './commands/list.js'
import { listrights } from './commands/listrights.js'
import { login } from './commands/login.js'
import { logout } from './commands/logout.js'
import { lsub } from './commands/lsub.js'
import { move, xmove } from './commands/move.js'
import { myrights } from './commands/myrights.js'
import { namespace } from './commands/namespace.js'
import { noop } from './commands/noop.js'
import { notify } from './commands/notify.js'
import { rename } from './commands/rename.js'
import { replace } from './commands/replace.js'
import { scan } from './commands/scan.js'
import { search } from './commands/search.js'
import { examine, select } from './commands/select.js'
import { deleteacl, setacl } from './commands/setacl.js'
import { setmetadata } from './commands/setmetadata.js'
import { setquota } from './commands/setquota.js'
import { sort } from './commands/sort.js'
import { starttls } from './commands/starttls.js'
import { status } from './commands/status.js'
import { store } from './commands/store.js'
import { subscribe, unsubscribe } from './commands/subscribe.js'
import { syncapply, syncget, syncrestart, syncrestore } from './commands/sync.js'
import { thread } from './commands/thread.js'
import { unauthenticate } from './commands/unauthenticate.js'
import { unselect } from './commands/unselect.js'
import { urlfetch } from './commands/urlfetch.js'

const COMMANDS = new Map<string, Command>(
  [
    append,
    authenticate,
    cancelupdate,
    capability,
    check,
    close,
    compress,
    copy,
    create,
    deleteacl,
    deleteCommand,
    enable,
    examine,
    expunge,
    fetch,
    genurlauth,
    getacl,
    getannotation,
    getmetadata,
    getquota,
    getquotaroot,
    id,
    idle,
    list,
    listrights,
    login,
    logout,
    lsub,
    move,
    myrights,
    namespace,
    noop,
    notify,
    rename,
    replace,
    scan,
    resetkey,
    search,
    select,
    setacl,
    setannotation,
    setmetadata,
    setquota,
    sort,
    starttls,
    status,
    store,
    subscribe,
    syncapply,
    syncget,
    syncrestart,
    syncrestore,
    thread,
    unauthenticate,
    unselect,
    unsubscribe,
    urlfetch,
    xlist,
    xmove,
  ].map((command) => [command.name, command] as const),
)

/** @param name upper case */
export function findCommand(name: string): Command | undefined {
  return COMMANDS.get(name)
}
