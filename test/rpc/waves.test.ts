import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lineFrom, nextOf, serveHolders } from '../support/served-holders.ts'

let served: Awaited<ReturnType<typeof serveHolders>>
beforeEach(async () => {
  served = await serveHolders()
})
afterEach(() => served.stop())

describe('waves on the wire', () => {
  it('come in their order, each marked `overrun` if its time was up, and counted', async () => {
    const { kvm, iommu, nic, open, hold, acknowledge, bind, free, status, advance } = served
    const [cpu, second, third] = [hold(kvm, 'CPU'), hold(iommu, 'IOMMU'), hold(nic, 'DEVICE')]
    const plain = open({ tokens: ['vm'], after_revision: '4', priority: 'DEVICE' })
    for (const stream of [cpu, second, third, plain]) await nextOf(stream)
    await bind(70)
    await bind(71)
    for (const stream of [cpu, second, third, plain]) for (let told = 0; told < 2; told++) await nextOf(stream)
    await free(1)
    await free(2)
    for (const stream of [cpu, plain]) {
      expect([await lineFrom(stream), await lineFrom(stream)]).toEqual([
        'NOTIFICATIONS 10 UNBIND 1 FREE 1',
        'NOTIFICATIONS 11 UNBIND 2 FREE 2',
      ])
    }
    await acknowledge(kvm, '10')
    expect(await lineFrom(second)).toBe('NOTIFICATIONS 10 UNBIND 1 FREE 1')
    await advance(5000)
    expect(await lineFrom(second)).toBe('NOTIFICATIONS 11 UNBIND 2! FREE 2!')
    await acknowledge(iommu, '11')
    expect(await lineFrom(third)).toBe('NOTIFICATIONS 10 UNBIND 1 FREE 1')
    await acknowledge(kvm, '11')
    const last = await nextOf(third)
    expect(last).toMatchObject({ revision: '11', prev_revision: '10', notifications: [{ overrun: false }, {}] })
    expect(await status()).toMatchObject({ overruns: '1' })
  })

  it('HEARTBEAT of who waits carries the revision before, and is a link of the chain', async () => {
    const { kvm, iommu, hold, acknowledge, bind, free, advance } = served
    await nextOf(hold(kvm, 'CPU'))
    const stream = hold(iommu, 'IOMMU', { after_revision: '4', heartbeat_ms: 1000 })
    await nextOf(stream)
    await bind(70)
    await free(1)
    expect(await lineFrom(stream)).toContain('BIND 1')
    for (let beat = 0; beat < 2; beat++) {
      await advance(1000)
      expect(await lineFrom(stream)).toBe('HEARTBEAT 7')
    }
    await acknowledge(kvm, '8')
    expect(await nextOf(stream)).toMatchObject({ revision: '8', prev_revision: '7' })
  })

  it('a snapshot marks nothing as overrun, and waits for nobody', async () => {
    const { kvm, nic, hold, bind, free } = served
    await nextOf(hold(kvm, 'CPU'))
    await bind(70)
    await free(1)
    const stream = hold(nic, 'DEVICE', { snapshot: true })
    expect([await lineFrom(stream), await lineFrom(stream), await lineFrom(stream)]).toEqual([
      'HEADER 8',
      'NOTIFICATIONS 8 SET_ALLOC ALLOC 1 FREE 1',
      'SNAPSHOT_END 8',
    ])
  })
})
