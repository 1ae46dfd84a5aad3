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
})
