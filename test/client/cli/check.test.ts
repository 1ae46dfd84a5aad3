import { expect, it, onTestFinished } from 'vitest'
import { connect } from '../../../client/index.ts'
import { serve } from '../../support/rpc.ts'
import { once } from './fake-io.ts'

const lease = { lease_handle: 'key', lease_id: '1', ttl_ms: '30000', on_expiry: 'RELEASE', state: 'ALIVE' }
const answer = (path: string) => {
  if (path.endsWith('/GrantLease')) return { lease }
  if (path.endsWith('/CreateSet')) return { set: { set_handle: 'h', set_id: '1', state: 'ACTIVE' } }
  // A Batch of what several callers ask for at once is the SDK's own affair: here there is one.
  return path.endsWith('/Allocate') ? { ioasids: [7], revision: '1' } : { results: [], revision: '1' }
}

it('check perf allocates and frees until its time is over, and ends the lease that all of it belongs to', async () => {
  const { code, calls } = await once({ answer }, 'check', 'perf', '--duration', '500ms', '--callers', '1')
  expect(code).toBe(0)
  const methods = calls.map(({ path }) => path.split('/').at(-1))
  expect(methods.slice(0, 4)).toEqual(['GrantLease', 'CreateSet', 'Allocate', 'Free'])
  expect(methods.at(-1)).toBe('RevokeLease')
  expect(calls.find(({ path }) => path.endsWith('/CreateSet'))?.request).toMatchObject({ lease_handle: 'key' })
  const changes = methods.filter((method) => method === 'Allocate' || method === 'Free').length
  expect(changes).toBeGreaterThan(4)
})

it('check perf leaves nothing behind', async () => {
  const served = await serve()
  onTestFinished(served.stop)
  const client = connect({ endpoint: served.address })
  const { code, out } = await once({ connectTo: served.address }, 'check', 'perf', '--duration', '500ms', '-o', 'json')
  expect(code).toBe(0)
  expect(JSON.parse(out)).toMatchObject({ callers: 16, changesPerSecond: expect.any(Number) })
  expect(await client.getStatus()).toMatchObject({ sets: 0, allocated: 0, leases: 0 })
  await client.close()
})
