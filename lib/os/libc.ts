/**
 * The C library's functions that Node lacks, bound once through koffi. Every other file of lib/os is built on this one; nothing
 * outside lib/os imports it. Names are looked up in the process's global scope, so that a preloaded library can stand in for them.
 */
import koffi from 'koffi'

const libc = koffi.load(null)

/** Signature of a bound function; koffi itself knows them only as "any". */
type Native<A extends unknown[], R = number> = ((...args: A) => R) & {
  async(...args: [...A, (error: Error | null, result: R) => void]): void
}

/** Binds one C prototype on first use: a program pays only for the calls that it makes. */
function bind<A extends unknown[], R = number>(prototype: string): () => Native<A, R> {
  let bound: Native<A, R> | undefined
  return () => {
    bound ??= libc.func(prototype) as unknown as Native<A, R>
    return bound
  }
}

/** A pointer that koffi made; opaque to us. */
export type Pointer = object

export const native = {
  socket: bind<[number, number, number]>('int socket(int, int, int)'),
  bind: bind<[number, Buffer, number]>('int bind(int, const void *, unsigned int)'),
  listen: bind<[number, number]>('int listen(int, int)'),
  shutdown: bind<[number, number]>('int shutdown(int, int)'),
  accept4: bind<[number, null, null, number]>('int accept4(int, void *, void *, int)'),
  socketpair: bind<[number, number, number, Buffer]>('int socketpair(int, int, int, void *)'),
  pipe2: bind<[Buffer, number]>('int pipe2(void *, int)'),
  setsockopt: bind<[number, number, number, Buffer, number]>(
    'int setsockopt(int, int, int, const void *, unsigned int)',
  ),
  getsockopt: bind<[number, number, number, Buffer, Buffer]>('int getsockopt(int, int, int, void *, void *)'),
  getsockname: bind<[number, Buffer, Buffer]>('int getsockname(int, void *, void *)'),
  poll: bind<[Buffer, number, number]>('int poll(void *, unsigned long, int)'),
  eventfd: bind<[number, number]>('int eventfd(unsigned int, int)'),
  dup: bind<[number]>('int dup(int)'),
  dup2: bind<[number, number]>('int dup2(int, int)'),
  /** fcntl with a number as third argument (F_GETFL, F_SETFD, …): the type name comes before the value. */
  fcntl: bind<[number, number, 'int', number]>('int fcntl(int, int, ...)'),
  /** fcntl with a `struct flock` as third argument; declared without dots, since koffi runs no variadic function on a thread. */
  fcntlLock: bind<[number, number, Buffer]>('int fcntl(int, int, void *)'),
  openlog: bind<[Pointer, number, number], void>('void openlog(const void *, int, int)'),
  syslog: bind<[number, string, 'const char *', string], void>('void syslog(int, const char *, ...)'),
  _exit: bind<[number], void>('void _exit(int)'),
  kill: bind<[number, number]>('int kill(int, int)'),
  syncfs: bind<[number]>('int syncfs(int)'),
  getpgrp: bind<[]>('int getpgrp()'),
  strerror: bind<[number], string>('const char *strerror(int)'),
  prctl: bind<[number, 'unsigned long', number]>('int prctl(int, ...)'),
  /** prctl with a text as second argument */
  prctlText: bind<[number, string]>('int prctl(int, const char *)'),
  capset: bind<[Buffer, Buffer]>('int capset(void *, const void *)'),
  getpwnam: bind<[string], bigint | null>('void *getpwnam(const char *)'),
  getgrnam: bind<[string], bigint | null>('void *getgrnam(const char *)'),
  setpgid: bind<[number, number]>('int setpgid(int, int)'),
}

/** `errno` of the last call that failed, as a name ("EADDRINUSE"), or "E<number>". */
function errnoName(number: number): string {
  for (const [name, value] of Object.entries(koffi.os.errno)) if (value === number) return name
  return `E${number}`
}

/** A system call that failed: `code` as in Node's own errors ("EADDRINUSE"), `syscall` the function's name. */
export class SystemError extends Error {
  readonly code: string
  /** the C library's words for it ("Address already in use") */
  readonly reason: string
  constructor(
    readonly syscall: string,
    readonly errno: number,
    what = '',
  ) {
    const reason = native.strerror()(errno)
    super(`${syscall}${what === '' ? '' : ` ${what}`}: ${reason}`)
    this.name = 'SystemError'
    this.code = errnoName(errno)
    this.reason = reason
  }
}

/**
 * @param result what a call returned
 * @returns it, when it is not negative
 * @throws {SystemError} from errno otherwise
 */
export function check(result: number, syscall: string, what = ''): number {
  if (result < 0) throw new SystemError(syscall, koffi.errno(), what)
  return result
}

/** A zero-ended copy of a text outside of JavaScript's heap that is never freed: for C functions that keep the pointer. */
export function keepString(text: string): Pointer {
  const bytes = Buffer.from(`${text}\0`)
  const memory = koffi.alloc('uint8_t', bytes.length) as Pointer
  koffi.encode(memory, 0, koffi.array('uint8_t', bytes.length), bytes)
  return memory
}
