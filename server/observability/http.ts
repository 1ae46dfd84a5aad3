import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { type Address, type TcpAddress, tcpAddress } from '../rpc/address.ts'
import type { Log } from '../rpc/log.ts'
import { type Check, look } from './readiness.ts'

/** `/metrics`, `/livez` and `/readyz` for an operator's tools: plain HTTP, and nothing that changes anything. */
export interface OperatorServer {
  /** With the port that was picked. */
  readonly address: Address
  stop(): void
}

export interface OperatorServerOptions {
  readonly address: TcpAddress
  readonly checks: readonly Check[]
  readonly metrics: (form: 'text' | 'openmetrics') => Promise<{ readonly contentType: string; readonly text: string }>
  readonly log: Log
}

/** A few tools, each with a connection; whoever opens more, keeps one without a word or does not read costs no one else anything. */
const MAX_CONNECTIONS = 64
const HEADERS_TIMEOUT_MS = 5_000
const REQUEST_TIMEOUT_MS = 10_000
/** Longer than the interval at which most are asked, so that a connection lasts. */
const KEEP_ALIVE_MS = 75_000
/** Of a peer that does not read. */
const IDLE_MS = 90_000
const MAX_HEADER_BYTES = 8192

export async function startOperatorServer(
  options: OperatorServerOptions,
): Promise<OperatorServer | { readonly problem: string }> {
  const { address, log } = options
  const limits = {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: HEADERS_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  }
  const server = createServer({ ...limits, requestTimeout: REQUEST_TIMEOUT_MS, connectionsCheckingInterval: 1000 })
  server.setTimeout(IDLE_MS, (socket) => socket.destroy())
  const answering = createAnswering(server)
  server.on('request', (request, response) => {
    if (!answering.begin(request.socket, response)) return
    answer(options, request, response).catch((cause: unknown) => {
      log.error({ cause }, 'metrics could not be written')
      if (!response.headersSent) send(response, 500, 'The daemon has logged why.\n')
    })
  })
  try {
    await bind(server, address)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    return { problem: `--metrics-listen cannot listen on ${address.text}: ${why}` }
  }
  server.on('error', (cause) => log.warn({ cause }, 'a connection for metrics was not accepted'))
  // It keeps nothing alive that has come to its end.
  server.unref()
  const bound = server.address()
  const port = bound === null || typeof bound === 'string' ? address.port : bound.port
  return {
    address: tcpAddress(address.host, port),
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** The connections, of which there is a limit, and which of them have an answer under way, of which each has one. */
function createAnswering(server: Server) {
  /** Who was answered last comes last. */
  const connections = new Set<Socket>()
  const busy = new Set<Socket>()
  server.on('connection', (socket) => {
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
    if (connections.size <= MAX_CONNECTIONS) return
    // The oldest and not the newest: else whoever fills the places, and asks nothing, has the daemon taken for dead.
    const [oldest = socket] = [...connections].filter((known) => !busy.has(known))
    oldest.destroy()
  })
  return {
    /** false: the connection is closed instead. */
    begin: (socket: Socket, response: ServerResponse): boolean => {
      // A tool asks again when it has its answer. Of thousands of questions at once all answers would wait in memory.
      if (busy.has(socket)) {
        socket.destroy()
        return false
      }
      busy.add(socket)
      response.once('close', () => {
        busy.delete(socket)
        if (connections.delete(socket) && !socket.destroyed) connections.add(socket)
      })
      return true
    },
  }
}

function bind(server: Server, { host, port }: OperatorServerOptions['address']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function answer(
  { checks, metrics }: OperatorServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('Allow', 'GET, HEAD')
    return send(response, 405, 'It takes GET and HEAD.\n')
  }
  const [path = '', query = ''] = (request.url ?? '').split('?', 2)
  if (path === '/livez') return send(response, 200, 'ok\n')
  if (path === '/readyz') {
    const { isReady, lines } = look(checks)
    const isVerbose = new URLSearchParams(query).has('verbose')
    const told = isVerbose || !isReady ? [...lines, `readyz check ${isReady ? 'passed' : 'failed'}`] : ['ok']
    return send(response, isReady ? 200 : 503, `${told.join('\n')}\n`)
  }
  if (path !== '/metrics') return send(response, 404, 'There are /metrics, /livez and /readyz.\n')
  const form = request.headers.accept?.includes('application/openmetrics-text') ? 'openmetrics' : 'text'
  const { contentType, text } = await metrics(form)
  send(response, 200, text, contentType)
}

/** Of a HEAD Node leaves the body out by itself. */
function send(response: ServerResponse, status: number, text: string, contentType = 'text/plain; charset=utf-8'): void {
  const headers = { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text) }
  response.writeHead(status, { ...headers, 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
  response.end(text)
}
