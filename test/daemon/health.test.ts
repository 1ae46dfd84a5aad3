import { status } from '@grpc/grpc-js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDaemon, type TestDaemon } from '../support/daemon.ts'
import { connect, type Wire } from '../support/wire.ts'

const HEALTH = 'grpc.health.v1.Health'
const SERVICES = ['Admin', 'Ioasid', 'Lease', 'Notification', 'Set'].map((name) => `ioasid.v1.${name}Service`)

let daemon: TestDaemon
let wire: Wire

beforeAll(async () => {
  daemon = await startDaemon({ args: ['--store', 'memory'] })
  wire = connect(daemon.address)
})
afterAll(async () => {
  wire.close()
  await daemon.stop()
})

test('the daemon and each of its services say that they serve', async () => {
  for (const service of ['', ...SERVICES]) {
    expect(await wire.call(HEALTH, 'Check', { service })).toEqual({ status: 'SERVING' })
  }
  const { statuses } = await wire.call(HEALTH, 'List', {})
  expect(Object.keys(Object(statuses)).sort()).toEqual(['', ...SERVICES])
})

test('a service that is not there is NOT_FOUND, however long its name', async () => {
  for (const service of ['ioasid.v1.NoService', 'constructor', '__proto__', 'x'.repeat(1_000_000)]) {
    await expect(wire.call(HEALTH, 'Check', { service })).rejects.toMatchObject({ code: status.NOT_FOUND })
  }
  const stream = wire.open(HEALTH, 'Watch', { service: 'ioasid.v1.NoService' })
  expect(await stream.next()).toEqual({ status: 'SERVICE_UNKNOWN' })
  stream.cancel()
})
