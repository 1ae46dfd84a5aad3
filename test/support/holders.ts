import type { Priority } from '../../server/core/event.ts'
import type { LeaseId, Revision, SetId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import { getIoasid, getLease } from '../../server/core/query.ts'
import type { Engine } from '../../server/engine/engine.ts'
import type { Opened, SubscribeRequest } from '../../server/engine/subscribe.ts'
import { answerOf, command, createSet, grantLease, must, namesOf, type RunOptions, run, subscribe } from './engine.ts'
import { type Listener, listen } from './told.ts'

/** An hour: longer than anything that a test is about. */
export const LONG_MS = 3_600_000

/**
 * A VM's set, and a lease each for who would hold it, which long outlive the test: revisions 1 to 4. What the changes of
 * a holder answer is checked: they must succeed.
 */
export async function startHolders(options: RunOptions = {}) {
  const running = await run(options)
  const { engine } = running
  const vm = await createSet(engine, 'vm')
  const cpu = await grantLease(engine, LONG_MS)
  const iommu = await grantLease(engine, LONG_MS)
  const device = await grantLease(engine, LONG_MS)
  return { ...running, vm, cpu, iommu, device, ...changesOf(engine, vm) }
}

/** What happens to one set, each a revision. */
export function changesOf(engine: Engine, setId: SetId) {
  const change = async (asked: Parameters<Engine['submit']>[0]) => must(await engine.submit(asked, undefined)).revision
  return {
    /** A new id with that SPID. */
    bind: async (spid: number): Promise<number> => {
      const wanted = { ...command.allocate(setId, 1, [spid]), max: engine.capacity - 1 }
      return (await answerOf(engine, wanted, 'allocated')).answer.runs[0] ?? 0
    },
    attach: (id: number, spid: number): Promise<Revision> => change(command.attachSpid(setId, id, spid, '')),
    detach: (id: number): Promise<Revision> => change(command.detachSpid(setId, id)),
    free: (...ids: readonly number[]): Promise<Revision> => change(command.free(setId, ids)),
    acknowledge: (leaseId: LeaseId, revision: number): Promise<Revision> =>
      change(command.acknowledge(leaseId, revision)),
    revoke: (leaseId: LeaseId): Promise<Revision> => change(command.revokeLease(leaseId)),
  }
}

type From = Partial<SubscribeRequest>

/** What a holder of the set `vm` asks for; after everything up to now, if nothing else is said. */
function heldBy(leaseId: LeaseId, priority: Priority, revision: number, from: From): From {
  const start = { kind: 'after', revision } as const
  return { sets: namesOf(['vm']), start, hold: { leaseId, priority }, ...from }
}

/** A holder that reads whatever it is told. */
export async function hold(engine: Engine, leaseId: LeaseId, priority: Priority, from: From = {}): Promise<Listener> {
  const { revision } = must(await engine.status())
  return listen(engine, heldBy(leaseId, priority, revision, from))
}

/** A holder whose stream nobody reads yet. */
export async function openHold(engine: Engine, leaseId: LeaseId, priority: Priority, from: From = {}): Promise<Opened> {
  const { revision } = must(await engine.status())
  return subscribe(engine, heldBy(leaseId, priority, revision, from))
}

export const leaseOf = (engine: Engine, leaseId: LeaseId) => engine.read((state) => getLease(state, leaseId))
export const infoOf = (engine: Engine, id: number) => engine.read((state) => getIoasid(state, id, undefined))

/** What is wrong with the accounts. */
export async function faultsOf(engine: Engine): Promise<readonly string[]> {
  return must(await engine.read((state) => ({ found: violations(state) }))).found
}
