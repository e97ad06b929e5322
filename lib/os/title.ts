/** How a process looks in ps and top: its command line, which is free text, and its name, by which `pgrep imapd` and `ps -C imapd` find it. */
import { native } from './libc.js'

const PR_SET_NAME = 15

/**
 * @param text what stands in place of the command line; the kernel keeps as much as the original one was long
 * @param name the process' name, 15 bytes at most
 */
export function setProcessTitle(text: string, name: string): void {
  process.title = text
  // Node puts the text's beginning there.
  native.prctlText()(PR_SET_NAME, name)
}
