import { createServer } from 'node:net'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'

/**
 * Loaded into a daemon beside the product (`node --import`), it tells who connects to the socket that its own URL names
 * (`?/path`) how late the event loop was: from the connection until the peer's end of it.
 */

const RESOLUTION_MS = 1
/** What is late now is seen by the next timers. */
const SETTLE_MS = 20

const path = decodeURIComponent(new URL(import.meta.url).search.slice(1))
if (path === '') throw new Error(`${fileURLToPath(import.meta.url)} needs the path of a socket: ?/path`)

const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
delay.enable()

const beyondResolutionMs = (ns: number) => Math.max(0, ns / 1e6 - RESOLUTION_MS)

const server = createServer({ allowHalfOpen: true }, (socket) => {
  delay.reset()
  socket.write('begun\n')
  socket.on('error', () => undefined)
  socket.on('data', () => undefined)
  socket.on('end', () => {
    setTimeout(() => {
      socket.end(`${beyondResolutionMs(delay.max)} ${beyondResolutionMs(delay.percentile(99))}\n`)
    }, SETTLE_MS)
  })
})
server.listen(path)
server.unref()
