import { describe, expect, it } from 'vitest'
import { connect } from '../../client/index.ts'
import { failureOf } from './failure-of.ts'
import { movingDaemon } from './moving-daemon.ts'
import { logTable } from './table.ts'

describe('a table before a daemon that starts again', () => {
  it('goes on with what it has, and is told of what came meanwhile', async () => {
    const daemon = await movingDaemon()
    const far = connect({ endpoint: daemon.endpoint, retry: { initialDelayMs: 5, maxDelayMs: 20 } })
    const { table, log } = await logTable(far)
    const { setHandle } = (await far.createSet({ token: 'vm-a' })).set
    await table.waitForRevision((await far.allocate({ setHandle, spids: [101, 102] })).revision)
    daemon.stop()
    const freeing = far.free({ setHandle, ioasids: [1] })
    await daemon.start()
    const { revision } = await freeing
    await table.waitForRevision(revision)
    expect(log).toEqual(['bind 101 1', 'bind 102 2', 'unbound 101 1'])
    await expect.poll(async () => (await far.getStatus()).freePending).toBe(0)
    await table.close()
    await far.close()
  })

  it('without its data knows no lease: everything is unbound', async () => {
    const daemon = await movingDaemon()
    const far = connect({ endpoint: daemon.endpoint, retry: { initialDelayMs: 5, maxDelayMs: 20 } })
    const { table, log } = await logTable(far)
    const { setHandle } = (await far.createSet({ token: 'vm-a' })).set
    await table.waitForRevision((await far.allocate({ setHandle, spids: [101] })).revision)
    daemon.stop()
    await daemon.start('none')
    expect(await failureOf(table.closed)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
    expect(log).toEqual(['bind 101 1', 'lost 101 1'])
    await far.close()
  })

  it('and no longer keeps what came meanwhile unbinds what is gone, also where the SPID is bound anew', async () => {
    const daemon = await movingDaemon({ limits: { historyRevisions: 10 } })
    const far = connect({ endpoint: daemon.endpoint, retry: { initialDelayMs: 5, maxDelayMs: 20 } })
    const { table, log } = await logTable(far, { ttlMs: 60_000 })
    const { setHandle } = (await far.createSet({ token: 'vm-a' })).set
    await table.waitForRevision((await far.allocate({ setHandle, spids: [101, 102, 103] })).revision)
    const near = connect({ endpoint: daemon.cut() })
    await near.detachSpid({ setHandle, ioasid: 1 })
    await near.attachSpid({ setHandle, ioasid: 1, spid: 101 })
    await near.detachSpid({ setHandle, ioasid: 2 })
    const { ioasids } = await near.allocate({ setHandle, spids: [102] })
    for (let change = 0; change < 20; change += 1) await near.adjustQuota({ setHandle, quota: 20 + change })
    daemon.clock.advance(2_000)
    await expect.poll(async () => (await near.getStatus()).compactRevision).toBeGreaterThan(table.revision)
    log.length = 0
    daemon.mend()
    const { revision } = await near.getStatus()
    await table.waitForRevision(revision)
    expect(log).toEqual(['missed 101 1', 'missed 102 2', 'bind 101 1', `bind 102 ${ioasids[0]}`])
    expect(table.size).toBe(3)
    // What is settled by the snapshot is held no more.
    await near.free({ setHandle, ioasids: [2] })
    await expect.poll(async () => (await near.getStatus()).freePending).toBe(0)
    await table.close()
    await near.close()
    await far.close()
  })
})
