import { connect, type Socket } from 'node:net'
import {
  ACK,
  connectionStart,
  END_STREAM,
  FIRST_WINDOW,
  FRAME,
  frame,
  HEAD_BYTES,
  LARGEST_FRAME,
  messagesSize,
  PADDED,
  PREFIX_BYTES,
  requestBytes,
  requestHead,
  windowUpdate,
} from './http2-frames.ts'

/**
 * gRPC without TLS by hand, for loads: HTTP/2 frames written and read as bytes. A call costs some microseconds here, where a
 * grpc-js client takes 150: so one process loads a daemon, etcd and a no-op server alike, each with a body of its own for
 * every call, and what is measured is the server. It reads no header: whether a call went well is told by its messages.
 */

/** What was read is given back to the peer's window in steps of this. */
const GIVE_BACK_BYTES = 1 << 20

export interface WireListener {
  readonly onMessage: (message: Buffer) => void
  /** Once: the stream ended, after its messages; with an error the connection is lost, or the stream was reset. */
  readonly onEnd: (error: Error | undefined) => void
}

export interface Wire {
  /**
   * Sends the one request of a unary or server-streaming call, or all that is said on a stream in both directions. What is
   * opened in one tick is written at once.
   */
  readonly open: (path: string, request: Buffer | readonly Buffer[], listener: WireListener) => void
  /** Ends all that is open, without a word to it. */
  readonly close: () => void
}

interface Stream extends WireListener {
  /** Of a message that has not come whole. */
  rest: Buffer
}

interface State {
  readonly address: string
  readonly socket: Socket
  readonly streams: Map<number, Stream>
  readonly heads: Map<string, Buffer>
  nextId: number
  /** How much more the peer takes, of all streams. */
  window: number
  toGiveBack: number
  out: Buffer[]
  isClosed: boolean
}

const UNIX = 'unix://'

/** `host:port`, or `unix:///path`. */
export async function openWire(address: string): Promise<Wire> {
  const at = address.lastIndexOf(':')
  const isUnix = address.startsWith(UNIX)
  const socket = isUnix
    ? connect({ path: address.slice(UNIX.length) })
    : connect({ host: address.slice(0, at), port: Number(address.slice(at + 1)), noDelay: true })
  const state: State = {
    // A path is no :authority.
    address: isUnix ? 'localhost' : address,
    socket,
    streams: new Map(),
    heads: new Map(),
    nextId: 1,
    window: FIRST_WINDOW,
    toGiveBack: 0,
    out: [],
    isClosed: false,
  }
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  socket.on('error', (cause) => fail(state, new Error(`the connection to ${address} is lost`, { cause })))
  socket.on('close', () => fail(state, new Error(`${address} closed the connection`)))
  readFrames(state)
  state.out.push(connectionStart())
  flush(state)
  return {
    open: (path, request, listener) => open(state, path, request, listener),
    close: () => {
      state.isClosed = true
      state.streams.clear()
      socket.destroy()
    },
  }
}

function open(state: State, path: string, request: Buffer | readonly Buffer[], listener: WireListener): void {
  const messages = Buffer.isBuffer(request) ? [request] : request
  const size = messagesSize(messages)
  if (state.isClosed) return listener.onEnd(new Error(`the connection to ${state.address} is closed`))
  if (size > LARGEST_FRAME || size > state.window)
    return listener.onEnd(new Error(`${state.address} has no room for a request of ${size} bytes`))
  state.window -= size
  const id = state.nextId
  state.nextId += 2
  state.streams.set(id, { ...listener, rest: Buffer.alloc(0) })
  let head = state.heads.get(path)
  if (head === undefined) {
    head = requestHead(state.address, path)
    state.heads.set(path, head)
  }
  if (state.out.length === 0) queueMicrotask(() => flush(state))
  state.out.push(requestBytes(head, id, messages))
}

function readFrames(state: State): void {
  let rest: Buffer = Buffer.alloc(0)
  state.socket.on('data', (chunk: Buffer) => {
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    let at = 0
    try {
      while (bytes.length - at >= HEAD_BYTES) {
        const size = bytes.readUIntBE(at, 3)
        if (bytes.length - at < HEAD_BYTES + size) break
        const payload = bytes.subarray(at + HEAD_BYTES, at + HEAD_BYTES + size)
        take(state, bytes.readUInt8(at + 3), bytes.readUInt8(at + 4), bytes.readUInt32BE(at + 5), payload)
        at += HEAD_BYTES + size
      }
    } catch (error) {
      fail(state, error instanceof Error ? error : new Error(String(error)))
    }
    rest = bytes.subarray(at)
    flush(state)
  })
}

function take(state: State, type: number, flags: number, id: number, payload: Buffer): void {
  switch (type) {
    case FRAME.data: {
      if (flags & PADDED) throw new Error(`${state.address} pads, which this wire does not read`)
      giveBack(state, payload.length)
      const stream = state.streams.get(id)
      if (stream !== undefined) takeData(stream, payload)
      if (flags & END_STREAM) end(state, id, undefined)
      return
    }
    case FRAME.headers:
      if (flags & END_STREAM) end(state, id, undefined)
      return
    case FRAME.reset:
      return end(state, id, new Error(`${state.address} reset a call`))
    case FRAME.settings:
      if (!(flags & ACK)) state.out.push(frame(FRAME.settings, ACK, 0, Buffer.alloc(0)))
      return
    case FRAME.ping:
      if (!(flags & ACK)) state.out.push(frame(FRAME.ping, ACK, 0, payload))
      return
    case FRAME.goAway:
      return fail(state, new Error(`${state.address} went away`))
    case FRAME.windowUpdate:
      if (id === 0) state.window += payload.readUInt32BE(0)
      return
    default:
      // Of other types HTTP/2 says to look away.
      return
  }
}

function takeData(stream: Stream, payload: Buffer): void {
  let bytes = stream.rest.length === 0 ? payload : Buffer.concat([stream.rest, payload])
  while (bytes.length >= PREFIX_BYTES) {
    const size = PREFIX_BYTES + bytes.readUInt32BE(1)
    if (bytes.length < size) break
    stream.onMessage(bytes.subarray(PREFIX_BYTES, size))
    bytes = bytes.subarray(size)
  }
  stream.rest = bytes
}

function end(state: State, id: number, error: Error | undefined): void {
  const stream = state.streams.get(id)
  state.streams.delete(id)
  stream?.onEnd(error)
}

function fail(state: State, error: Error): void {
  if (state.isClosed) return
  state.isClosed = true
  state.socket.destroy()
  const streams = [...state.streams.values()]
  state.streams.clear()
  for (const { onEnd } of streams) onEnd(error)
}

/** Of streams nothing: theirs is larger than what any of them is sent. */
function giveBack(state: State, bytes: number): void {
  state.toGiveBack += bytes
  if (state.toGiveBack < GIVE_BACK_BYTES) return
  state.out.push(windowUpdate(state.toGiveBack))
  state.toGiveBack = 0
}

function flush(state: State): void {
  const [first, ...others] = state.out
  if (first === undefined || state.isClosed) return
  state.socket.write(others.length === 0 ? first : Buffer.concat(state.out))
  state.out = []
}
