import { expect, test } from 'vitest'
import { startDaemon } from '../support/daemon.ts'
import { refusalOf } from '../support/rpc.ts'
import { connect } from '../support/wire.ts'

const LEASES = 'ioasid.v1.LeaseService'

test('the bounds of leases and references are those of the flags', async () => {
  const bounds = ['--lease-ttl-min', '1s', '--lease-ttl-max', '20s', '--max-leases', '2', '--max-references', '1']
  const daemon = await startDaemon({ args: bounds })
  const wire = connect(daemon.address)
  const grant = (ttl_ms: number) => wire.call(LEASES, 'GrantLease', { ttl_ms })
  for (const ttlMs of [999, 20_001]) {
    expect(await refusalOf(grant(ttlMs))).toMatchObject({ reason: 'INVALID_FIELD', metadata: { field: 'ttl_ms' } })
  }
  const { lease } = (await grant(20_000)) as { lease: { lease_handle: string } }
  await grant(1000)
  expect(await refusalOf(grant(20_000))).toMatchObject({ reason: 'TOO_MANY', metadata: { what: 'leases', limit: '2' } })

  const created = await wire.call('ioasid.v1.SetService', 'CreateSet', { token: 'vm' })
  const { set } = created as { set: { set_handle: string } }
  await wire.call('ioasid.v1.IoasidService', 'Allocate', { set_handle: set.set_handle, count: 2 })
  const acquire = (ioasid: number) =>
    wire.call('ioasid.v1.IoasidService', 'Acquire', { token: 'vm', ioasid, lease_handle: lease.lease_handle })
  await acquire(1)
  expect(await refusalOf(acquire(2))).toMatchObject({
    reason: 'TOO_MANY',
    metadata: { what: 'references', limit: '1' },
  })
  wire.close()
  expect(await daemon.stop()).toMatchObject({ code: 0 })
})
