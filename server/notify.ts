import type { Clock } from './engine/clock.ts'

/**
 * Tells systemd how the daemon is: sd_notify(3). Where nobody wants to know ($NOTIFY_SOCKET is unset) each of these does
 * nothing; that it cannot be told is logged once, and no reason to end.
 */
export interface Notify {
  /** It serves, for the first time or again after `reloading`. From then on the watchdog is told at half its time. */
  ready(status: string): void
  /** It reads its certificates, policy and so on again; `ready` ends that. */
  reloading(): void
  /** It drains. */
  stopping(): void
}

export interface NotifyOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly pid: number
  readonly clock: Pick<Clock, 'after' | 'soon'>
  /** CLOCK_MONOTONIC, by which systemd tells this reload from an earlier one. */
  readonly monotonicUsec: () => bigint
  /** Whether the daemon can still do its work: the watchdog hears of nothing else. */
  readonly isWell: () => boolean
  readonly log: { warn(facts: object, message: string): void }
}

/** Sends one datagram and does not wait. Answers with the errno, 0 if it was sent. */
export type SendDatagram = (message: string) => number

/** Like that of the store's lock, the C library is loaded only where it is needed: Node has no datagrams on Unix sockets. */
export async function createNotify(
  options: NotifyOptions,
  loadSender: (path: string) => Promise<SendDatagram> = loadDatagramSender,
): Promise<Notify> {
  const { env, log } = options
  const path = env['NOTIFY_SOCKET'] ?? ''
  if (path === '') return { ready: () => undefined, reloading: () => undefined, stopping: () => undefined }
  let hasFailed = false
  const failed = (facts: object) => {
    if (!hasFailed) log.warn({ ...facts, socket: path }, 'systemd cannot be told how the daemon is')
    hasFailed = true
  }
  try {
    return notifyBy(options, await loadSender(path), failed)
  } catch (cause) {
    failed({ cause })
    return notifyBy(options, () => 0, failed)
  }
}

const EAGAIN = 11
const AGAIN_MS = 100
/** systemd that does not read for so long has given the daemon up, or is gone. */
const MAX_TRIES = 600

function notifyBy(options: NotifyOptions, send: SendDatagram, failed: (facts: object) => void): Notify {
  const { env, clock, monotonicUsec, isWell } = options
  let isWatched = false
  let cancel: () => void = () => undefined

  /** A queue that is full is tried again. A later word replaces the one that waits: what was before it does not matter then. */
  const say = (lines: readonly string[], tries = 0): void => {
    cancel()
    const errno = send(lines.join('\n'))
    if (errno === EAGAIN && tries < MAX_TRIES) cancel = clock.after(AGAIN_MS, () => say(lines, tries + 1))
    else if (errno !== 0) failed({ errno })
  }

  const watch = (everyMs: number): void => {
    clock.after(everyMs, () => {
      watch(everyMs)
      // A turn later: that timers fire says nothing of whether what peers send is looked at.
      clock.soon(() => {
        if (isWell()) send('WATCHDOG=1')
      })
    })
  }

  return {
    ready: (status) => {
      say(['READY=1', `STATUS=${status.replaceAll('\n', ' ')}`])
      const everyMs = watchdogMs(options) / 2
      if (isWatched || everyMs === 0) return
      isWatched = true
      watch(everyMs)
    },
    reloading: () => say(['RELOADING=1', `MONOTONIC_USEC=${monotonicUsec()}`]),
    stopping: () => say(['STOPPING=1', 'STATUS=draining']),
  }

  function watchdogMs({ pid }: NotifyOptions): number {
    const { WATCHDOG_USEC = '', WATCHDOG_PID = String(pid) } = env
    return WATCHDOG_PID === String(pid) && /^\d{4,12}$/.test(WATCHDOG_USEC) ? Number(WATCHDOG_USEC) / 1000 : 0
  }
}

const AF_UNIX = 1
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const MSG_DONTWAIT = 0x40
const MSG_NOSIGNAL = 0x4000
/** sun_path. */
const MAX_PATH_BYTES = 108

async function loadDatagramSender(path: string): Promise<SendDatagram> {
  const address = socketAddress(path)
  const { default: koffi } = await import('koffi')
  const library = koffi.load(null)
  const socket = library.func('int socket(int domain, int type, int protocol)')
  const sendto = library.func(
    'long sendto(int fd, const void *bytes, size_t length, int flags, const void *address, unsigned int addressLength)',
  )
  const fd: number = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (fd < 0) throw new Error(`no socket can be made: errno ${koffi.errno()}`)
  return (message) => {
    const bytes = Buffer.from(message)
    const sent: number = sendto(fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, address, address.length)
    return sent < 0 ? koffi.errno() : 0
  }
}

/** A sockaddr_un. A name that begins with @ is abstract: its first byte is 0, and its length is what its end would be. */
export function socketAddress(path: string): Buffer {
  if (!/^[/@]./.test(path)) throw new Error(`NOTIFY_SOCKET is neither a path nor an abstract name: ${path}`)
  const name = Buffer.from(path.startsWith('@') ? path.replace('@', '\0') : `${path}\0`)
  if (name.length > MAX_PATH_BYTES) throw new Error(`NOTIFY_SOCKET is longer than ${MAX_PATH_BYTES} bytes: ${path}`)
  const family = Buffer.alloc(2)
  family.writeUInt16LE(AF_UNIX)
  return Buffer.concat([family, name])
}
