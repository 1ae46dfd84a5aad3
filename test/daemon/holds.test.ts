import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { startDaemon } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'
import { connect, type Wire } from '../support/wire.ts'

/** The owner of the set `vm`, over whichever connection there is. */
async function startVm(wire: Wire) {
  const created = await wire.call('ioasid.v1.SetService', 'CreateSet', { token: 'vm' })
  const { set_handle } = (created as { set: { set_handle: string } }).set
  const own = { set_handle }
  return {
    bind: (spid: number) => wire.call('ioasid.v1.IoasidService', 'Allocate', { ...own, spids: [spid] }),
    free: (ioasid: number) => wire.call('ioasid.v1.IoasidService', 'Free', { ...own, ioasids: [ioasid] }),
  }
}

async function grant(wire: Wire, ttl_ms: number): Promise<string> {
  const granted = await wire.call('ioasid.v1.LeaseService', 'GrantLease', { ttl_ms })
  return (granted as { lease: { lease_handle: string } }).lease.lease_handle
}

const acknowledge = (wire: Wire, lease_handle: string, revision: string) =>
  wire.call('ioasid.v1.NotificationService', 'Acknowledge', { lease_handle, revision })

const pending = async (wire: Wire) =>
  (await wire.call('ioasid.v1.AdminService', 'GetStatus', {}))['free_pending'] as number

/** A holder's stream, as lines: `7 UNBIND FREE`. */
function hold(wire: Wire, lease_handle: string, from: object) {
  const stream = wire.open('ioasid.v1.NotificationService', 'Subscribe', {
    tokens: ['vm'],
    hold: true,
    lease_handle,
    ...from,
  })
  return async (): Promise<string> => {
    const message = await stream.next()
    if (message === undefined) return `ended: ${(await stream.ended)?.message}`
    const { revision, notifications } = message as { revision: string; notifications: { type: string }[] }
    return [revision, ...notifications.map(({ type }) => type)].join(' ')
  }
}

/** A holder in a process of its own: it says when it is told something, and renews nothing. */
const HOLDER = `
const { Client, credentials } = require('@grpc/grpc-js')
const [address, request] = process.argv.slice(1)
const same = (bytes) => bytes
const client = new Client(address, credentials.createInsecure())
const method = '/ioasid.v1.NotificationService/Subscribe'
const stream = client.makeServerStreamRequest(method, same, same, Buffer.from(request, 'base64'))
stream.on('data', () => console.log('told'))
`

test('a holder that is killed with -9 gives its ids back within its time to live and a second', async () => {
  const daemon = await startDaemon()
  const wire = connect(daemon.address)
  const { bind, free } = await startVm(wire)
  const ttlMs = 2000
  const lease_handle = await grant(wire, ttlMs)
  const grantedMs = performance.now()
  const request = { tokens: ['vm'], hold: true, lease_handle, snapshot: true }
  const bytes = messageCodec('ioasid.v1.SubscribeRequest').serialize(request).toString('base64')
  const holder = spawn(process.execPath, ['-e', HOLDER, daemon.address, bytes], { cwd: repositoryRoot })
  await once(holder.stdout, 'data')
  await bind(70)
  expect(await free(1)).toMatchObject({ results: [{ state: 'FREE_PENDING' }] })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  while ((await pending(wire)) > 0) await sleep(10)
  const tookMs = performance.now() - grantedMs
  // Counted from the answer, which came a little later than the grant; and looked at a little later than the end.
  expect(tookMs).toBeGreaterThan(ttlMs - 500)
  expect(tookMs).toBeLessThan(ttlMs + 1000 + 500)
  wire.close()
  await daemon.stop()
})

test('a wave that is open when the daemon is killed with -9 goes on in its order when it is back', async () => {
  const first = await startDaemon({ args: ['--teardown-timeout', '60s'] })
  const before = connect(first.address)
  const { bind, free } = await startVm(before)
  const [cpu, iommu] = [await grant(before, 60_000), await grant(before, 60_000)]
  const nextOfCpu = hold(before, cpu, { snapshot: true, priority: 'CPU' })
  for (let told = 0; told < 3; told++) await nextOfCpu()
  await hold(before, iommu, { snapshot: true, priority: 'IOMMU' })()
  await bind(70)
  await free(1)
  expect([await nextOfCpu(), await nextOfCpu()]).toEqual(['6 ALLOC BIND', '7 UNBIND FREE'])
  const second = await first.restart()
  before.close()
  const wire = connect(second.address)
  expect(await pending(wire)).toBe(1)
  const nextOfIommu = hold(wire, iommu, { after_revision: '6', priority: 'IOMMU', heartbeat_ms: 100 })
  expect([await nextOfIommu(), await nextOfIommu(), await nextOfIommu()]).toEqual(['6', '6', '6'])
  expect(await acknowledge(wire, cpu, '7')).toEqual({ revision: '8' })
  let line = await nextOfIommu()
  while (line === '6') line = await nextOfIommu()
  expect(line).toBe('7 UNBIND FREE')
  await acknowledge(wire, iommu, '7')
  expect(await pending(wire)).toBe(0)
  wire.close()
  await second.stop()
})
