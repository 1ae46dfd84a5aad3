import { expect, it } from 'vitest'
import { once } from './fake-io.ts'

it('health ends well where the daemon serves', async () => {
  const { code, out, calls } = await once({ answer: () => ({ status: 'SERVING' }) }, 'health')
  expect({ code, out }).toEqual({ code: 0, out: 'status  SERVING\n' })
  expect(calls).toMatchObject([{ path: '/grpc.health.v1.Health/Check' }])
})

it('health ends with 5 where it does not', async () => {
  const { code, out, err } = await once({ answer: () => ({ status: 'NOT_SERVING' }) }, 'health', '-q')
  expect({ code, out }).toEqual({ code: 5, out: 'NOT_SERVING\n' })
  expect(err).toMatch(/^error: the daemon does not serve/)
  const data = await once({ answer: () => ({ status: 'NOT_SERVING' }) }, 'health', '-o', 'jsonl')
  expect(JSON.parse(data.out)).toEqual({ status: 'NOT_SERVING' })
  expect(JSON.parse(data.err)).toEqual({
    error: { reason: 'NOT_SERVING', message: 'the daemon does not serve: it is starting or shutting down.' },
  })
})
