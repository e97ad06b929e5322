/**
 * The change feed: whoever watches a mailbox is told at once when any process has committed a change to it.
 *
 * Inside a process the commit itself tells. Between processes a commit touches one of 256 small files below {configdirectory}/feed,
 * chosen by mailbox id, and the kernel (inotify, through fs.watch) wakes those who watch that file; they look at the mailbox's version and
 * pass on only real changes. There is no broker that could be down and nothing is polled. Only if the kernel refuses another watch
 * does a process look by itself every `fallback` seconds, and says so once.
 */
import { closeSync, type FSWatcher, mkdirSync, openSync, utimesSync, watch } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from '../process/log.js'
import type { Database } from './database.js'

const BUCKETS = 256

interface Watched {
  listeners: Set<() => void>
  /** version last told; -1 when the mailbox is gone */
  version: number
}

interface Bucket {
  ids: Set<number>
  watcher: FSWatcher | undefined
  timer: NodeJS.Timeout | undefined
}

export class ChangeFeed {
  readonly #directory: string
  readonly #watched = new Map<number, Watched>()
  readonly #buckets = new Map<number, Bucket>()
  #complained = false

  /**
   * @param configdirectory below which the files lie
   * @param versionOf the committed version of a mailbox, undefined if it is gone
   * @param fallback seconds
   */
  constructor(
    configdirectory: string,
    private readonly database: Database,
    private readonly versionOf: (id: number) => number | undefined,
    private readonly log: Logger,
    private readonly fallback: number,
  ) {
    this.#directory = join(configdirectory, 'feed')
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
  }

  /** Calls a listener, soon and not re-entrantly, whenever the mailbox has changed or is gone. @returns how to stop that */
  watch(id: number, listener: () => void): () => void {
    let watched = this.#watched.get(id)
    if (watched === undefined) {
      watched = { listeners: new Set(), version: this.versionOf(id) ?? -1 }
      this.#watched.set(id, watched)
      this.#join(id)
      // a change between reading the version and the watch being set would be missed
      setImmediate(() => this.#check(id))
    }
    // each call has an identity of its own, even with the same function
    const own = () => listener()
    watched.listeners.add(own)
    return () => {
      watched.listeners.delete(own)
      if (watched.listeners.size > 0 || this.#watched.get(id) !== watched) return
      this.#watched.delete(id)
      this.#leave(id)
    }
  }

  /** Tells all processes, this one included, that mailboxes have changed. Called after the commit. */
  changed(ids: Iterable<number>): void {
    const buckets = new Set<number>()
    for (const id of ids) {
      buckets.add(id % BUCKETS)
      if (this.#watched.has(id)) setImmediate(() => this.#check(id))
    }
    const time = new Date()
    for (const bucket of buckets) {
      try {
        utimesSync(this.#path(bucket), time, time)
      } catch {
        this.#create(bucket)
      }
    }
  }

  close(): void {
    for (const { watcher, timer } of this.#buckets.values()) {
      watcher?.close()
      clearInterval(timer)
    }
    this.#buckets.clear()
    this.#watched.clear()
  }

  #path(bucket: number): string {
    return join(this.#directory, bucket.toString(16).padStart(2, '0'))
  }

  #create(bucket: number): void {
    try {
      closeSync(openSync(this.#path(bucket), 'a', 0o600))
    } catch (error) {
      this.log.error(`change feed: ${(error as Error).message}`)
    }
  }

  #join(id: number): void {
    const number = id % BUCKETS
    let bucket = this.#buckets.get(number)
    if (bucket === undefined) {
      bucket = { ids: new Set(), watcher: undefined, timer: undefined }
      this.#buckets.set(number, bucket)
      this.#observe(number, bucket)
    }
    bucket.ids.add(id)
  }

  #leave(id: number): void {
    const number = id % BUCKETS
    const bucket = this.#buckets.get(number)
    if (bucket === undefined) return
    bucket.ids.delete(id)
    if (bucket.ids.size > 0) return
    bucket.watcher?.close()
    clearInterval(bucket.timer)
    this.#buckets.delete(number)
  }

  #observe(number: number, bucket: Bucket): void {
    const look = () => {
      this.database.refresh()
      for (const id of bucket.ids) this.#check(id)
    }
    try {
      this.#create(number)
      bucket.watcher = watch(this.#path(number), { persistent: false }, look)
      bucket.watcher.on('error', () => this.#poll(bucket, look))
    } catch {
      this.#poll(bucket, look)
    }
  }

  #poll(bucket: Bucket, look: () => void): void {
    bucket.timer ??= setInterval(look, this.fallback * 1000).unref()
    if (this.#complained) return
    this.#complained = true
    this.log.warning(
      `no more change notices from the kernel (fs.inotify.max_user_instances, max_user_watches); looking every ${this.fallback} s instead`,
    )
  }

  #check(id: number): void {
    const watched = this.#watched.get(id)
    if (watched === undefined) return
    const version = this.versionOf(id) ?? -1
    if (version === watched.version) return
    watched.version = version
    for (const listener of [...watched.listeners]) listener()
  }
}
