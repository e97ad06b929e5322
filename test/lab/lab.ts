/** A topology brought up in a throw-away directory, and taken away again: used by the demo, the tests and the benchmarks alike. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ImapClient } from './imap_client.js'
import { ADMIN, Instance, PASSWORD } from './instance.js'
import { ROOT } from './software.js'
import { readTopology, type Topology } from './topology.js'
import { freePorts } from './wait.js'

export interface LabOptions {
  /** options added to the imapd.conf of the named instances */
  imapd?: Record<string, Record<string, string>>
  /** instead of the topology's users */
  users?: string[]
  /** false: no rolling sync_client is started, whatever the topology says */
  rolling?: boolean
  /** directory of our programs, if not dist/bin: an installation */
  programs?: string
}

export class Lab {
  private constructor(
    readonly directory: string,
    readonly topology: Topology,
    readonly instances: ReadonlyMap<string, Instance>,
  ) {}

  /**
   * Starts every instance of a topology, replicas first, and waits until they answer.
   * @param file name below conf/, or a path
   */
  static async start(file: string, options: LabOptions = {}): Promise<Lab> {
    const lab = await Lab.prepare(file, options)
    try {
      for (const instance of [...lab.instances.values()].reverse()) await instance.start()
    } catch (error) {
      await lab.stop()
      throw error
    }
    return lab
  }

  /** As `start`, but nothing runs yet. */
  static async prepare(file: string, { imapd = {}, users, rolling = true, programs }: LabOptions = {}): Promise<Lab> {
    const read = readTopology(file.includes('/') ? file : join(ROOT, 'conf', file))
    const topology = { ...read, users: users ?? read.users }
    // short, since the paths of sockets must be
    const directory = mkdtempSync(join(tmpdir(), 'lab-'))
    chmodSync(directory, 0o755)
    const ports = await freePorts(3 * topology.instances.length)
    const portsOf = new Map(
      topology.instances.map(({ name }, n) => [
        name,
        { imap: ports[3 * n]!, lmtp: ports[3 * n + 1]!, sync: ports[3 * n + 2]! },
      ]),
    )
    const instances = new Map<string, Instance>()
    for (const plan of topology.instances) {
      const full = {
        ...plan,
        imapd: { ...plan.imapd, ...imapd[plan.name] },
        syncclient: rolling ? plan.syncclient : ('none' as const),
      }
      const replica = plan.replicateTo === undefined ? undefined : portsOf.get(plan.replicateTo)
      const instance = new Instance(
        full,
        join(directory, plan.name),
        portsOf.get(plan.name)!,
        replica,
        topology.users,
        programs,
      )
      instance.prepare()
      instances.set(plan.name, instance)
    }
    return new Lab(directory, topology, instances)
  }

  instance(name: string): Instance {
    const instance = this.instances.get(name)
    if (instance === undefined) throw new Error(`the topology has no instance "${name}"`)
    return instance
  }

  get master(): Instance {
    return this.instance('master')
  }

  get replica(): Instance {
    return this.instance('replica')
  }

  /** Makes the INBOX of every user, as an administrator does. */
  async createUsers(instance: Instance = this.master, users: readonly string[] = this.topology.users): Promise<void> {
    const admin = await this.login(ADMIN.user, instance, ADMIN.password)
    const separator = instance.plan.imapd.unixhierarchysep === 'no' ? '.' : '/'
    for (const user of users) await admin.ok(`CREATE user${separator}${user}`)
    await admin.logout()
  }

  /** A logged-in IMAP connection. */
  async login(user: string, instance: Instance = this.master, password = PASSWORD): Promise<ImapClient> {
    const client = await ImapClient.connect(instance.ports.imap)
    await client.ok(`LOGIN ${user} ${password}`)
    return client
  }

  /** Ends everything and removes the directory. */
  async stop({ keepFiles = false } = {}): Promise<void> {
    await Promise.allSettled([...this.instances.values()].map((instance) => instance.stop()))
    if (!keepFiles) rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }
}
