import { request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { type OperatorServer, startOperatorServer } from '../../server/observability/http.ts'
import type { Check } from '../../server/observability/readiness.ts'
import { tcpAddress } from '../../server/rpc/address.ts'
import { keepLines } from './lines.ts'

const open: OperatorServer[] = []
afterEach(() => {
  for (const server of open.splice(0)) server.stop()
})

let problem: string | undefined
const checks: readonly Check[] = [
  { name: 'store', problem: () => undefined },
  { name: 'event-loop', problem: () => problem },
]

async function start(metrics = async (form: string) => ({ contentType: `form/${form}`, text: 'm 1\n' })) {
  problem = undefined
  const { log, lines } = keepLines()
  const address = tcpAddress('127.0.0.1', 0)
  if (address.kind !== 'tcp') throw new Error('TCP is TCP')
  const server = await startOperatorServer({ address, checks, metrics, log })
  if ('problem' in server) throw new Error(server.problem)
  open.push(server)
  return { url: `http://${server.address.text}`, text: server.address.text, lines }
}

async function get(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init)
  return { status: response.status, type: response.headers.get('content-type'), body: await response.text() }
}

it('livez says ok, and readyz says ok while every check passes', async () => {
  const { url } = await start()
  expect(await get(`${url}/livez`)).toMatchObject({ status: 200, body: 'ok\n' })
  expect(await get(`${url}/readyz`)).toMatchObject({ status: 200, body: 'ok\n' })
  const body = '[+]store ok\n[+]event-loop ok\nreadyz check passed\n'
  expect(await get(`${url}/readyz?verbose`)).toMatchObject({ status: 200, body })
})

it('readyz is 503 with a line for each check when one does not pass, and livez stays ok', async () => {
  const { url } = await start()
  problem = 'was late by 1200 ms'
  const body = '[+]store ok\n[-]event-loop was late by 1200 ms\nreadyz check failed\n'
  for (const query of ['', '?verbose', '?verbose=1']) {
    expect(await get(`${url}/readyz${query}`)).toMatchObject({ status: 503, body })
  }
  expect((await get(`${url}/livez`)).status).toBe(200)
})

it('metrics come in the form that is asked for', async () => {
  const { url } = await start()
  expect(await get(`${url}/metrics`)).toEqual({ status: 200, type: 'form/text', body: 'm 1\n' })
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5'
  expect(await get(`${url}/metrics`, { headers: { accept } })).toMatchObject({ type: 'form/openmetrics' })
})

it('anything else is 404, and any method but GET and HEAD 405', async () => {
  const { url } = await start()
  for (const path of ['/', '/metrics/', '/metricsx', '/../metrics%00', '/debug/pprof']) {
    expect((await get(url + path)).status).toBe(404)
  }
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    expect((await get(`${url}/metrics`, { method })).status).toBe(405)
  }
  expect(await get(`${url}/metrics`, { method: 'HEAD' })).toMatchObject({ status: 200, body: '' })
})

it('metrics that cannot be written are 500 and in the log, and the server goes on', async () => {
  const { url, lines } = await start(() => Promise.reject(new Error('no')))
  expect((await get(`${url}/metrics`)).status).toBe(500)
  expect(lines).toMatchObject([{ level: 'error' }])
  expect((await get(`${url}/livez`)).status).toBe(200)
})

it('an address that is taken is a problem in one sentence that names the flag', async () => {
  const { text } = await start()
  const { log } = keepLines()
  const address = tcpAddress('127.0.0.1', Number(text.split(':')[1]))
  if (address.kind !== 'tcp') throw new Error('TCP is TCP')
  const second = await startOperatorServer({ address, checks, metrics: () => Promise.reject(), log })
  expect(second).toEqual({ problem: expect.stringMatching(/^--metrics-listen cannot listen on .*EADDRINUSE/) })
})

it('headers beyond 8 KiB and bytes that are no HTTP are refused, and cost nobody else anything', async () => {
  const { url, text } = await start()
  expect((await get(`${url}/livez`, { headers: { 'x-long': 'x'.repeat(9000) } })).status).toBe(431)
  const [host = '', port = ''] = text.split(':')
  const answer = await new Promise<string>((resolve) => {
    const socket = connect(Number(port), host, () => socket.end('\x16\x03\x01 nonsense\r\n\r\n'))
    socket.on('data', (bytes) => resolve(bytes.toString()))
  })
  expect(answer).toContain('400')
  expect((await get(`${url}/livez`)).status).toBe(200)
})

it('more than 64 connections are not kept', async () => {
  const { text } = await start()
  const [host = '', port = ''] = text.split(':')
  const sockets = Array.from({ length: 80 }, () => connect(Number(port), host))
  const closed = sockets.map((socket) => new Promise((resolve) => socket.on('error', resolve).on('close', resolve)))
  let count = 0
  for (const one of closed) void one.then(() => (count += 1))
  await expect.poll(() => count).toBe(16)
  for (const socket of sockets) socket.destroy()
  await Promise.all(closed)
  // And then there is room again.
  const status = await new Promise((resolve, reject) => {
    request(`http://${text}/livez`, ({ statusCode }) => resolve(statusCode))
      .on('error', reject)
      .end()
  })
  expect(status).toBe(200)
})

/** Resolves to its status, or to the error's code. */
function ask(url: string): Promise<unknown> {
  return new Promise((resolve) => {
    request(url, { agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      .end()
  })
}

it('whoever fills the connections and asks nothing more keeps nobody out', async () => {
  const { url, text } = await start()
  const [host = '', port = ''] = text.split(':')
  const sockets = Array.from({ length: 64 }, () => connect(Number(port), host))
  const answered = sockets.map((socket) => {
    socket.on('error', () => undefined)
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n\r\n')
    return new Promise((resolve) => socket.once('data', resolve))
  })
  await Promise.all(answered)
  for (let tries = 0; tries < 10; tries++) expect(await ask(`${url}/livez`)).toBe(200)
  for (const socket of sockets) socket.destroy()
})

it('a connection that asks again before it has its answer is closed, and no answer is made for what it asked', async () => {
  let made = 0
  const { url, text } = await start(async () => {
    made += 1
    return { contentType: 'text/plain', text: 'm 1\n' }
  })
  const [host = '', port = ''] = text.split(':')
  const socket = connect(Number(port), host)
  const closed = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve))
  socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000))
  await closed
  expect(made).toBe(1)
  expect(await ask(`${url}/livez`)).toBe(200)
})
