import type { Client, Priority } from '../../client/index.ts'
import { type Holder, listen, type Stream } from './holder.ts'
import type { Ledger, Told } from './ledger.ts'

/** A plain subscriber that knows the holders, and sees whether an id comes back before they have let go of it. */
export interface TeardownWitness extends Stream {
  /** By revision: what it was told. */
  readonly lines: ReadonlyMap<number, ReadonlySet<string>>
  /** How many ids with a teardown came back. */
  readonly reclaimed: number
  /** From now on these hold. */
  follows(holders: readonly Holder[]): void
  /** A holder was told something: whose turn it is not, must not be. */
  hears(priority: Priority, told: Told, isOverrun: boolean): void
}

export function startTeardownWitness(client: Client, ledger: Ledger): TeardownWitness {
  const lines = new Map<number, ReadonlySet<string>>()
  const wrong: string[] = []
  const live = new Set<string>()
  /** By id: its last UNBIND that is not reclaimed yet. */
  const tornDown = new Map<string, number>()
  let holders: readonly Holder[] = []
  let reclaimed = 0

  const follow = (revision: number, line: string) => {
    const [type = '', id = ''] = line.split(' ')
    if (type === 'ALLOC') {
      if (live.has(id)) wrong.push(`IOASID ${id} is handed out at ${revision}, and not free`)
      live.add(id)
    }
    if (type === 'UNBIND') tornDown.set(id, revision)
    if (type !== 'RECLAIM') return
    if (!live.delete(id)) wrong.push(`IOASID ${id} is reclaimed at ${revision}, and was free`)
    const teardown = tornDown.get(id)
    if (teardown === undefined) return
    tornDown.delete(id)
    reclaimed += 1
    for (const { priority, saidMax } of holders) {
      if (saidMax < teardown)
        wrong.push(`IOASID ${id} is back at ${revision}: ${priority} has not acknowledged ${teardown}`)
    }
  }
  const stream = listen({
    client,
    ledger,
    hear: (told) => {
      lines.set(told.revision, new Set(told.lines))
      for (const line of told.lines) follow(told.revision, line)
    },
  })
  return {
    ...stream,
    lines,
    get problems() {
      return [...stream.problems, ...wrong]
    },
    get reclaimed() {
      return reclaimed
    },
    follows: (started) => {
      holders = started
    },
    hears: (priority, { revision, lines: told }, isOverrun) => {
      if (isOverrun) wrong.push(`${priority} was told ${revision} before its turn`)
      const cpu = holders.find((holder) => holder.priority === 'CPU')
      const isTeardown = told.some((line) => line.startsWith('UNBIND '))
      if (priority !== 'IOMMU' || !isTeardown || cpu === undefined || cpu.saidMax >= revision) return
      wrong.push(`IOMMU was told of the teardown ${revision}, and CPU has acknowledged ${cpu.saidMax}`)
    },
  }
}
