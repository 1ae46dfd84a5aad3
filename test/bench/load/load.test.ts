import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { countField } from './count-field.ts'
import { type Loader, openLoader } from './load.ts'

const same = (bytes: Buffer): Buffer => bytes
const method = (path: string) => ({
  path,
  requestStream: false as const,
  responseStream: false as const,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
})

/** /test/Echo answers with its request, /test/Zeros with as many as it says, /test/Refuse with an error. */
async function startServer(): Promise<{
  readonly address: string
  readonly echoed: string[]
  readonly stop: () => void
}> {
  const server = new Server()
  const echoed: string[] = []
  server.addService(
    { Echo: method('/test/Echo'), Zeros: method('/test/Zeros'), Refuse: method('/test/Refuse') },
    {
      Echo: ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        echoed.push(request.toString('latin1', 0, 8))
        answer(null, request)
      },
      Zeros: ({ request }: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) =>
        answer(null, Buffer.alloc(request.readUInt32BE())),
      Refuse: (_call: unknown, answer: sendUnaryData<Buffer>) => answer({ code: status.NOT_FOUND, details: 'no' }),
    },
  )
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  )
  return { address: `127.0.0.1:${port}`, echoed, stop: () => server.forceShutdown() }
}

describe('a load', () => {
  let server: Awaited<ReturnType<typeof startServer>>
  let loader: Loader

  beforeEach(async () => {
    server = await startServer()
    loader = await openLoader(server.address, 2)
  })

  afterEach(() => {
    loader.close()
    server.stop()
  })

  it('sends each request once, and counts the answers', async () => {
    let next = 0
    const request = (): Buffer => {
      next += 1
      return Buffer.from(`call ${next}`)
    }
    const isGood = (answer: Buffer): boolean => answer.toString().startsWith('call ')
    const { answers, medianMs, p99Ms } = await loader.run({ path: '/test/Echo', request, isGood }, 10, { calls: 500 })
    expect(answers).toBe(500)
    expect(new Set(server.echoed).size).toBe(500)
    expect(medianMs).toBeLessThanOrEqual(p99Ms)
  })

  it('reads answers of any size whole', async () => {
    for (const size of [0, 1, 16_384, 1_000_000]) {
      const request = (): Buffer => {
        const bytes = Buffer.alloc(4)
        bytes.writeUInt32BE(size)
        return bytes
      }
      const load = { path: '/test/Zeros', request, isGood: (answer: Buffer) => answer.equals(Buffer.alloc(size)) }
      expect((await loader.run(load, 3, { calls: 20 })).answers).toBe(20)
    }
  })

  it('fails on a request that is no single frame, rather than to send what no server takes', async () => {
    const load = { path: '/test/Echo', request: () => Buffer.alloc(16_384), isGood: () => true }
    await expect(loader.run(load, 1, { calls: 1 })).rejects.toThrow('no room for a request of')
  })

  it('fails on a refusal, which would be fast', async () => {
    const load = { path: '/test/Refuse', request: () => Buffer.from('a'), isGood: () => true }
    await expect(loader.run(load, 2, { calls: 10 })).rejects.toThrow('/test/Refuse was refused')
  })

  it('fails on an answer that was not asked for', async () => {
    const load = { path: '/test/Echo', request: () => Buffer.from('a'), isGood: () => false }
    await expect(loader.run(load, 2, { calls: 10 })).rejects.toThrow('/test/Echo was refused')
  })

  it('fails when the server goes away', async () => {
    const load = { path: '/test/Echo', request: () => Buffer.from('a'), isGood: () => true }
    const running = loader.run(load, 2, { ms: 10_000 })
    server.stop()
    await expect(running).rejects.toThrow(server.address)
  })
})

it('notifications are counted as they lie in a message, whatever lies beside them', () => {
  const bytes = (...parts: readonly (readonly number[])[]): Uint8Array => Uint8Array.from(parts.flat())
  const text = [0x12, 2, 0x3a, 0x3a]
  const notification = [0x3a, 3, 0x10, 0x96, 0x01]
  expect(countField(bytes([0x08, 0xff, 0x01], text, notification, [0x30, 1], notification), 7)).toBe(2)
  expect(countField(bytes([0x3a, 0x80, 0x01], Array(128).fill(0x3a)), 7)).toBe(1)
  expect(() => countField(bytes([0x0d, 0, 0, 0, 0]), 7)).toThrow(/wire type 5/)
})
