import { expect } from 'vitest'
import type { Command } from '../../server/core/command.ts'
import type { Entry } from '../../server/core/event.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asLeaseId, asSetId, type LeaseId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import { getIoasid } from '../../server/core/query.ts'
import { ALL_TYPES, type Filter } from '../../server/engine/filter.ts'
import { command, memoryStore, namesOf, type Running, run, subscription } from './engine.ts'
import { createManualClock, settle } from './manual-clock.ts'
import { createWaveChecks, type HolderStream } from './wave-checks.ts'
import { createWaveModel, ORDER } from './wave-model.ts'

/** Owners and holders of a small space, and what must be true of what each holder is told. */

const CAPACITY = 10
const TIMEOUT_MS = 1000
const TTL_MS = 2000
const LIMITS = {
  teardownTimeoutMs: TIMEOUT_MS,
  leaseGraceMs: 1000,
  maxQueuedBytes: 900,
  ringBytes: 4000,
  snapshotEvery: 40,
}
const SETS: readonly Filter['sets'][] = [
  'all',
  namesOf(['a']),
  namesOf(['b', 'a']),
  namesOf([], [1]),
  namesOf(['b'], [1, 2]),
]

export async function startWaves() {
  const inner = memoryStore()
  const log: Entry[] = []
  const model = createWaveModel()
  const faults: string[] = []
  const store = {
    ...inner,
    append: async (batch: Parameters<typeof inner.append>[0]) => {
      await inner.append(batch)
      log.push(...batch.entries)
      for (const entry of batch.entries) faults.push(...model.apply(entry))
    },
  }
  const space = { capacity: CAPACITY }
  let running: Running = await run({ store, space, limits: LIMITS })
  const streams = new Map<LeaseId, HolderStream>()
  let leases = 0
  let spid = 0

  const send = async (asked: Command) => {
    const outcome = await running.engine.submit(asked, undefined)
    await settle(1)
    return outcome
  }
  const servingMs = async () => {
    const found = await running.engine.read((state) => ({ ms: state.servingMs }))
    if (isFailure(found)) throw new Error(found.message)
    return found.ms
  }
  const checks = createWaveChecks({ log, model, timeoutMs: TIMEOUT_MS, servingMs })

  /** Everybody who reads is told all that can be told now. */
  const harvest = async () => {
    for (const stream of streams.values()) {
      while (stream.isReading && streams.get(stream.leaseId) === stream) {
        stream.pending ??= stream.opened.subscription.next()
        const item = await Promise.race([stream.pending, settle(8)])
        if (item === undefined) {
          await checks.waits(stream)
          break
        }
        stream.pending = undefined
        await checks.told(stream, item)
        if (item.kind === 'ended') streams.delete(stream.leaseId)
        stream.isStale = false
      }
    }
  }

  const open = async (who: number, at: number) => {
    const leaseId = asLeaseId(1 + (who % Math.max(1, leases)))
    const priority = ORDER[leaseId % 3] ?? 'CPU'
    const sets = SETS[(leaseId >> 1) % SETS.length] ?? 'all'
    const earlier = streams.get(leaseId)
    const start =
      at % 4 === 0
        ? ({ kind: 'snapshot' } as const)
        : ({ kind: 'after', revision: earlier?.cursor ?? (at % 2 === 0 ? 0 : (log.at(-1)?.revision ?? 0)) } as const)
    const heartbeatMs = at % 3 === 0 ? 200 : 60_000
    const asked = subscription({ sets, start, heartbeatMs, hold: { leaseId, priority } })
    const opened = await running.engine.subscribe(asked)
    if (isFailure(opened)) return void expect(['LEASE_NOT_FOUND', 'SET_NOT_FOUND']).toContain(opened.reason)
    if (earlier !== undefined) {
      const made = await earlier.pending
      const last = made?.kind === 'ended' ? made : await earlier.opened.subscription.next()
      expect(last).toMatchObject({ kind: 'ended', failure: { reason: 'SUPERSEDED' } })
    }
    const filter = { sets, types: ALL_TYPES }
    const state = { cursor: opened.revision, isReading: true, isStale: false, pending: undefined }
    streams.set(leaseId, { leaseId, priority, filter, opened, ...state })
  }

  const nth = <Item>(items: Iterable<Item>, at: number): Item | undefined =>
    [...items][at % Math.max(1, [...items].length)]
  const change = (who: number, at: number): Command => {
    const [id, owner] = nth(model.bound, at) ?? [1 + (at % CAPACITY), asSetId(1)]
    const setId = nth(model.sets.keys(), at) ?? asSetId(1)
    const ownerLease = asLeaseId(1 + (at % Math.max(1, leases)))
    spid += 2
    switch (who % 12) {
      case 0:
        return command.createSet(at % 2 === 0 ? 'a' : 'b', 0, at % 5 === 0 ? ownerLease : null)
      case 1:
      case 2:
        return command.free(owner, [id])
      case 3:
      case 4:
        return command.detachSpid(owner, id)
      case 5:
      case 6:
        // Mostly of no id that can be bound again; sometimes of one.
        return command.attachSpid(setId, 1 + (at % (CAPACITY - 1)), spid, '')
      case 7:
        return at % 9 === 0 ? command.deleteSet(setId) : { kind: 'free_all', setId }
      default:
        return { ...command.allocate(setId, 1 + (at % 2), at % 2 === 0 ? [spid] : [spid, spid + 1]), max: CAPACITY - 1 }
    }
  }

  const acknowledge = async (who: number, at: number) => {
    const stream = nth(streams.values(), who)
    const leaseId = at % 5 === 0 || stream === undefined ? asLeaseId(1 + (who % Math.max(1, leases))) : stream.leaseId
    const revision = at % 5 === 0 || stream === undefined ? Math.max(0, log.length - (at % 7)) : stream.cursor
    const outcome = await send(command.acknowledge(leaseId, revision))
    if (!isFailure(outcome)) model.acknowledged(leaseId, revision)
  }

  const restart = async () => {
    await running.engine.drain({ reason: 'DRAINING', message: '', metadata: {} })
    running = await run({ store, space, limits: LIMITS, clock: createManualClock() })
    streams.clear()
  }

  const take = async ({ kind, who, at }: { readonly kind: string; readonly who: number; readonly at: number }) => {
    const stream = nth(streams.values(), who)
    if (kind === 'change') await send(change(who, at))
    if (kind === 'grant') {
      await send(command.grantLease(at % 2 === 0 ? TTL_MS : 100_000, at % 3 === 0 ? 'HOLD' : 'RELEASE'))
      leases += 1
    }
    if (kind === 'open') await open(who, at)
    if (kind === 'acknowledge') await acknowledge(who, at)
    if (kind === 'revoke') await send(command.revokeLease(asLeaseId(1 + (who % Math.max(1, leases)))))
    if (kind === 'renew') await running.engine.renew(asLeaseId(1 + (who % Math.max(1, leases))))
    if (kind === 'stop' && stream !== undefined) {
      stream.isReading = !stream.isReading
      stream.isStale = stream.pending !== undefined
    }
    if (kind === 'time') running.clock.advance([1, 100, 400, 999, 1000][at % 5] ?? 1)
    if (kind === 'restart') await restart()
    await settle(2)
  }

  const checkIds = async () => {
    const found = await running.engine.read((state) => {
      const wrong = [...violations(state)]
      for (let id = 1; id < CAPACITY; id++) {
        const view = getIoasid(state, id, undefined)
        const references = isFailure(view) ? 0 : view.references
        if (references !== model.references(id)) wrong.push(`${id} has ${references}, not ${model.references(id)}`)
      }
      return { wrong }
    })
    expect(found).toEqual({ wrong: [] })
  }

  return {
    take: async (asked: Parameters<typeof take>[0]) => {
      await take(asked)
      await harvest()
      await checkIds()
      expect(faults).toEqual([])
    },
  }
}
