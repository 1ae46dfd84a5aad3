import { connect as connectTo, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { memoryStore } from '../support/engine.ts'
import { createManualClock } from '../support/manual-clock.ts'
import { type Served, type ServeOptions, serve } from '../support/rpc.ts'
import { socketDirectory } from './grpc-daemon.ts'

/** A daemon in this process that can be stopped and started again, or cut off from its clients, at one address. */
export async function movingDaemon(options: ServeOptions = {}) {
  const directory = socketDirectory()
  const clock = createManualClock()
  let store = memoryStore()
  const endpoint = directory.endpoint('daemon')
  const sockets = new Set<Socket>()
  let served: Served | undefined = await serve({ ...options, store, clock })
  let isCut = false
  const proxy = createServer((socket) => {
    if (served === undefined || isCut) return socket.destroy()
    const [host = '', port = ''] = served.address.split(':')
    const daemon = connectTo(Number(port), host)
    for (const [from, to] of [
      [socket, daemon],
      [daemon, socket],
    ] as const) {
      sockets.add(from)
      from.on('error', () => {})
      from.on('close', () => {
        sockets.delete(from)
        to.destroy()
      })
      from.pipe(to)
    }
    return socket
  })
  await new Promise<void>((resolve) => proxy.listen(endpoint.slice('unix://'.length), resolve))
  const disconnect = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  const stop = (): void => {
    served?.stop()
    served = undefined
    disconnect()
  }
  onTestFinished(() => {
    stop()
    proxy.close()
    directory.remove()
  })
  return {
    endpoint,
    clock,
    stop,
    /** Nobody reaches it at the endpoint any more, but at its own address, which is the answer. */
    cut: (): string => {
      isCut = true
      disconnect()
      return served?.address ?? ''
    },
    mend: () => {
      isCut = false
    },
    /** With the data that it had, or with none. */
    start: async (data: 'same' | 'none' = 'same') => {
      if (data === 'none') store = memoryStore()
      served = await serve({ ...options, store, clock })
    },
  }
}
