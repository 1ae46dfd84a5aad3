import { describe, expect, it } from 'vitest'
import { backupOf, runRestored } from '../support/backups.ts'
import { must } from '../support/engine.ts'
import { changesOf, faultsOf, infoOf, LONG_MS, leaseOf, openHold, startHolders } from '../support/holders.ts'
import { callerUnder, policyOf } from '../support/rights.ts'

/** A CPU holder of an id that was bound when the backup was made, and what it led to: two histories of one space. */
async function twoHistories() {
  const first = await startHolders()
  const { vm, cpu } = first
  await openHold(first.engine, cpu, 'CPU')
  const id = await first.bind(70)
  const restored = await runRestored(await backupOf(first.engine))
  return { first, restored: { ...restored, ...changesOf(restored.engine, vm) }, vm, cpu, id }
}

const revisionOf = async (engine: Parameters<typeof infoOf>[0]) => must(await engine.status()).revision

describe('an acknowledgement of the history before a restore', () => {
  it('settles no teardown of the restored one, though the number is the same; one of that history does', async () => {
    const { first, restored, cpu, id } = await twoHistories()
    const { engine, clock } = restored
    const revision = await first.free(id)
    expect(await restored.free(id)).toBe(revision)
    clock.advance(500)
    const remainingMs = engine.remainingMs(cpu)

    const late = await engine.acknowledge({ leaseId: cpu, revision, spaceId: first.engine.spaceId })
    expect(late).toMatchObject({ reason: 'HISTORY_CHANGED', metadata: { space_id: engine.spaceId } })
    expect(await revisionOf(engine)).toBe(revision)
    expect(must(await infoOf(engine, id))).toMatchObject({ state: 'FREE_PENDING', references: 1 })
    expect(must(await leaseOf(engine, cpu)).hold).toMatchObject({ acknowledged: 0 })
    expect(engine.remainingMs(cpu)).toBe(remainingMs)

    const own = await engine.acknowledge({ leaseId: cpu, revision, spaceId: engine.spaceId })
    expect(must(own).revision).toBe(revision + 1)
    expect(await infoOf(engine, id)).toMatchObject({ reason: 'IOASID_NOT_FOUND' })
    expect(engine.remainingMs(cpu)).toBe(LONG_MS)
    expect(await faultsOf(engine)).toEqual([])
  })

  it('settles what it names where it says of no history: it is not checked then', async () => {
    const { restored, cpu, id } = await twoHistories()
    const revision = await restored.free(id)
    const tool = await restored.engine.acknowledge({ leaseId: cpu, revision, spaceId: '' })
    expect(must(tool).revision).toBe(revision + 1)
  })

  it('is refused for its history after what it is not about: who asks and which lease; and before its revision', async () => {
    const { first, restored, cpu } = await twoHistories()
    const { engine, revoke } = restored
    const [old, own] = [first.engine.spaceId, engine.spaceId]
    const policy = policyOf("  - { to: 'uid:1', own: vm }")
    const refusalOf = async (spaceId: string, revision: number, identity?: string) => {
      const caller = identity === undefined ? undefined : callerUnder(policy, identity)
      return await engine.acknowledge({ leaseId: cpu, revision, spaceId }, caller)
    }
    expect(await refusalOf(old, 1_000)).toMatchObject({ reason: 'HISTORY_CHANGED' })
    expect(await refusalOf(own, 1_000)).toMatchObject({ reason: 'FUTURE_REVISION' })
    expect(await refusalOf(old, 1, '')).toMatchObject({ reason: 'NO_IDENTITY' })
    await revoke(cpu)
    expect(await refusalOf(old, 1)).toMatchObject({ reason: 'LEASE_NOT_FOUND' })
  })
})
