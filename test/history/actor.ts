import { setTimeout as sleep } from 'node:timers/promises'
import { type Client, connect, IoasidError } from '../../client/index.ts'
import type { Command } from '../../server/core/command.ts'
import { asIoasid, asLeaseId, asSetId } from '../../server/core/ids.ts'
import { type Handles, send } from './calls.ts'
import { type Ask, nowMs, type Outcome, type Recorder } from './record.ts'

/** What the clients of one process, and through its parent all others, know of each other's sets and leases. */
export interface World {
  readonly endpoint: string
  readonly recorder: Recorder
  readonly handles: Handles
  /** Those that may be alive, and a few of those that are not. */
  readonly sets: Set<number>
  readonly leases: Set<number>
  /** What was allocated lately: whose, and which id. */
  readonly lives: [setId: number, ioasid: number][]
  readonly leaseTtlMs: number
  readonly isStopping: () => boolean
  /** Tells the other processes. */
  readonly share: (known: Shared) => void
}

export interface Shared {
  readonly kind: 'sets' | 'leases'
  readonly number: number
  readonly handle: string
}

/** One client with a connection of its own. */
export interface Actor {
  readonly name: string
  readonly world: World
  readonly client: Client
  readonly chance: Chance
  readonly newId: () => string
  /** Sends it until it is answered, with the same request_id, and writes down what came of it. */
  readonly perform: (ask: Ask) => Promise<Outcome>
  readonly change: (command: Command) => Promise<Outcome>
}

export interface Chance {
  /** A whole number, 0 … limit-1. */
  readonly below: (limit: number) => number
  readonly oneOf: <Value>(values: readonly Value[]) => Value
  readonly isOneIn: (chances: number) => boolean
}

/** One begins like another, which is no reason to be told of it. */
export const TOKENS = ['vm', 'vm-a', 'vm-b', 'vm-c', 'vm-d'] as const

const DEADLINE_MS = 30_000

export function createActor(world: World, name: string, seed: number): Actor {
  const client = connect({ endpoint: world.endpoint, deadlineMs: DEADLINE_MS, retry: { maxAttempts: 1 } })
  const chance = createChance(seed)
  let count = 0
  const newId = (): string => `${name}.${++count}`

  const perform = async (ask: Ask): Promise<Outcome> => {
    const id = newId()
    world.recorder.write({ t: 'ask', id, at: nowMs(), ask })
    const outcome = await attempts(id, ask)
    world.recorder.write({ t: 'end', id, at: nowMs(), outcome })
    return outcome
  }
  const attempts = async (id: string, ask: Ask): Promise<Outcome> => {
    for (;;) {
      const outcome = await attempt(client, world.handles, ask)
      const isSafe = ask.kind === 'change' && ask.requestId !== undefined
      if (outcome.kind !== 'unknown' || !isSafe || !outcome.why.startsWith('UNAVAILABLE')) return outcome
      await sleep(20 + chance.below(100))
      world.recorder.write({ t: 'again', id, at: nowMs() })
    }
  }
  const change = async (command: Command): Promise<Outcome> => {
    const isNamed = command.kind !== 'revive_lease' && command.kind !== 'acknowledge'
    // A request_id is a UUID for those who may guess it; here nobody does, and a name can be found in the records.
    const requestId = isNamed ? `${name}/${count}` : undefined
    const ask = { kind: 'change', requestId, command } as const
    const outcome = await perform(ask)
    learn(world, command, outcome, chance)
    // A client that does not know that it was answered asks again.
    if (isNamed && outcome.kind === 'answer' && chance.isOneIn(40)) await perform(ask)
    return outcome
  }
  return { name, world, client, chance, newId, perform, change }
}

/** Whatever has no reason of the daemon's may have happened. */
async function attempt(client: Client, handles: Handles, ask: Ask): Promise<Outcome> {
  try {
    return await send(client, handles, ask)
  } catch (error) {
    if (!(error instanceof IoasidError)) throw error
    const { code, reason, metadata, message } = error
    if (reason === undefined || code === 'UNAVAILABLE') return { kind: 'unknown', why: `${code} ${message}` }
    return { kind: 'refused', reason, facts: metadata }
  }
}

const KEPT_LIVES = 24

function learn(world: World, command: Command, outcome: Outcome, chance: Chance): void {
  const { handles, lives, share } = world
  if (outcome.kind === 'refused' && !chance.isOneIn(4)) return forget(world, command, outcome.reason)
  if (outcome.kind !== 'answer') return
  const { answer } = outcome
  if (command.kind === 'create_set' && 'setId' in answer) {
    const number = Number(answer.setId)
    world.sets.add(number)
    share({ kind: 'sets', number, handle: handles.sets.get(number) ?? '' })
  }
  if (command.kind === 'grant_lease' && 'leaseId' in answer) {
    const number = Number(answer.leaseId)
    world.leases.add(number)
    share({ kind: 'leases', number, handle: handles.leases.get(number) ?? '' })
  }
  if (command.kind === 'allocate' && 'ids' in answer) {
    for (const ioasid of answer.ids as number[]) lives.push([command.setId, ioasid])
    lives.splice(0, lives.length - KEPT_LIVES)
  }
}

/** Most requests shall be of what is there. */
function forget({ sets, leases, lives }: World, command: Command, reason: string): void {
  if (reason === 'LEASE_NOT_FOUND' && 'leaseId' in command) leases.delete(Number(command.leaseId))
  if (reason === 'SET_NOT_FOUND' && 'setId' in command) sets.delete(command.setId)
  if (reason === 'SET_NOT_FOUND' && 'set' in command && 'setId' in command.set) sets.delete(command.set.setId)
  const isLife = /^(IOASID_NOT_FOUND|WRONG_SET|SET_NOT_FOUND|FREE_PENDING)$/.test(reason) && 'ioasid' in command
  const index = isLife ? lives.findIndex(([, ioasid]) => ioasid === command.ioasid) : -1
  if (index >= 0) lives.splice(index, 1)
}

export const anySet = ({ world, chance }: Actor) => asSetId(chance.oneOf([0, ...world.sets]))

/** Most often one of those that were allocated lately. */
export function anyLife(actor: Actor, capacity: number) {
  const { world, chance } = actor
  const { lives } = world
  if (lives.length > 0 && !chance.isOneIn(6)) {
    const [setId, ioasid] = chance.oneOf(lives)
    return { setId: asSetId(setId), ioasid: asIoasid(ioasid) }
  }
  return { setId: anySet(actor), ioasid: asIoasid(1 + chance.below(capacity - 1)) }
}

export const anyLease = ({ world, chance }: Actor) => asLeaseId(chance.oneOf([0, ...world.leases]))

export function createChance(seed: number): Chance {
  let state = seed >>> 0
  const below = (limit: number): number => {
    // Mulberry32, as in support/chance.ts, which speaks to whoever runs vitest.
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
  return {
    below,
    oneOf: (values) => {
      const value = values[below(values.length)]
      if (value === undefined) throw new Error('nothing to choose from')
      return value
    },
    isOneIn: (chances) => below(chances) === 0,
  }
}
