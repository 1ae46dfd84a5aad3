import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { FLAG, FRAME_HEAD_BYTES, frame, PREFACE, settings, TYPE } from './frames.ts'

/** A peer that speaks HTTP/2 frame by frame, and only as politely as it is told to. */
export interface RawPeer {
  readonly socket: Socket
  /** How many frames of each type it was sent. */
  readonly received: ReadonlyMap<number, number>
  /** The error code of the first GOAWAY, which says why; undefined: there was none. */
  goaway(): number | undefined
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
  isClosed(): boolean
  /**
   * Sends as fast as the other side takes it; false when it was cut off before all was sent. `isPaced`: reads between two
   * chunks, as a peer does that has nothing against answers.
   */
  flood(chunks: Iterable<Buffer>, isPaced?: boolean): Promise<boolean>
  send(bytes: Buffer): void
  /** Without a word. */
  vanish(): void
}

export interface RawPeerOptions {
  /** What is sent first. Default: the preface and empty settings. */
  readonly greeting?: Buffer
  /** Reads nothing at all, not even what TCP would buffer. */
  readonly isDeaf?: boolean
  /** Acknowledges the daemon's settings. Default: yes. */
  readonly isPolite?: boolean
}

const sockets = new Set<Socket>()

/** Of all peers that there are, for an attack that failed half-way. */
export function vanishAll(): void {
  for (const socket of sockets) socket.destroy()
}

export async function rawPeer(
  { host, port }: { readonly host: string; readonly port: number },
  { greeting = Buffer.concat([PREFACE, settings([])]), isDeaf = false, isPolite = true }: RawPeerOptions = {},
): Promise<RawPeer> {
  const socket = connect({ host, port, noDelay: true })
  sockets.add(socket)
  const received = new Map<number, number>()
  let goaway: number | undefined
  let isClosed = false
  // A reset is what a hostile peer has to expect.
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      isClosed = true
      sockets.delete(socket)
      resolve()
    })
  })
  const take = frameReader((type, flags, payload) => {
    received.set(type, (received.get(type) ?? 0) + 1)
    if (type === TYPE.GOAWAY) goaway ??= payload.readUInt32BE(4)
    if (isPolite && type === TYPE.SETTINGS && (flags & FLAG.ACK) === 0) {
      socket.write(frame(TYPE.SETTINGS, FLAG.ACK, 0))
    }
  })
  if (isDeaf) socket.pause()
  else socket.on('data', take)
  await Promise.race([once(socket, 'connect'), closed])
  if (greeting.length > 0) socket.write(greeting)
  return {
    socket,
    received,
    goaway: () => goaway,
    closed,
    isClosed: () => isClosed,
    flood: async (chunks, isPaced = false) => {
      for (const chunk of chunks) {
        if (isClosed || socket.destroyed) return false
        if (!socket.write(chunk)) await Promise.race([drained(socket), closed])
        if (isPaced) await new Promise((resolve) => setImmediate(resolve))
      }
      return !isClosed
    },
    send: (bytes) => void socket.write(bytes),
    vanish: () => socket.destroy(),
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('drain', resolve)
    socket.once('close', () => resolve())
  })
}

/** Of a payload only so much is kept: enough to read a GOAWAY. */
type OnFrame = (type: number, flags: number, payload: Buffer) => void

function frameReader(onFrame: OnFrame): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0)
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    while (rest.length - at >= FRAME_HEAD_BYTES) {
      const end = at + FRAME_HEAD_BYTES + rest.readUIntBE(at, 3)
      if (rest.length < end) break
      onFrame(rest.readUInt8(at + 3), rest.readUInt8(at + 4), rest.subarray(at + FRAME_HEAD_BYTES, end))
      at = end
    }
    rest = rest.subarray(at)
  }
}
