import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Sent, to } from './peer.ts'
import { startWorld, type World } from './world.ts'

/**
 * How long a refusal takes tells nothing of what there is. Two requests, one for what exists and one for what does not, are
 * sent in turns, which of them first is drawn each time: whatever else the machine does meets both alike, so that no figure
 * depends on how quick it is. Then of all pairs (one of each kind) in about half the first took longer: were there a
 * difference that could be seen, it would be nearly all, or nearly none. For two that are alike the share of such pairs is
 * 0.5 give or take 0.02 (one standard deviation: 1 / sqrt(6 * ROUNDS)). Not the medians: on a machine that has other things to
 * do the times have two humps, and a median jumps from one to the other.
 */
const ROUNDS = 400
const MAX_SHARE = 0.5 + 0.15
/** A genuine handle is told from a guess by its refusal, so its time may differ, but not by more than the times of one kind. */
const MAX_SHARE_OF_GENUINE = 0.95

let world: World

beforeAll(async () => {
  world = await startWorld()
})

afterAll(async () => {
  world.close()
  await world.daemon.stop()
})

type Make = (world: World) => Sent

const unnamed = () => `vm-b/${crypto.randomUUID().slice(0, 4)}`

/** A handle of this number and proof; as a guess by chance it would mostly not even be of the form. */
function handleOf(setId: bigint, proof: Uint8Array): string {
  const number = Buffer.alloc(8)
  number.writeBigUInt64BE(setId)
  return `set-${Buffer.concat([number, proof]).toString('base64url')}`
}

const byChance = (bytes: number) => crypto.getRandomValues(new Uint8Array(bytes))
const numberOf = ({ victims }: World) => BigInt(victims.set.set_id)
const proofOf = ({ victims }: World) =>
  Buffer.from(victims.set.set_handle.slice('set-'.length), 'base64url').subarray(8)
const remove = (set_handle: string) => to('DeleteSet', { set_handle })

it.each<readonly [what: string, there: Make, notThere: Make, maxShare: number]>([
  [
    'GetSet by the token of a set',
    () => to('GetSet', { token: 'vm-b/disk' }),
    () => to('GetSet', { token: unnamed() }),
    MAX_SHARE,
  ],
  [
    'ListIoasids by the token of a set',
    () => to('ListIoasids', { token: 'vm-b/disk' }),
    () => to('ListIoasids', { token: unnamed() }),
    MAX_SHARE,
  ],
  [
    'CreateSet of a token that is in use',
    () => to('CreateSet', { token: 'vm-b/disk' }),
    () => to('CreateSet', { token: unnamed() }),
    MAX_SHARE,
  ],
  [
    'Subscribe to the token of a set',
    () => to('Subscribe', { tokens: ['vm-b/disk'], snapshot: true }),
    () => to('Subscribe', { tokens: [unnamed()], snapshot: true }),
    MAX_SHARE,
  ],
  [
    'DeleteSet by the number of a set and a proof that is wrong',
    (of) => remove(handleOf(numberOf(of), byChance(16))),
    () => remove(handleOf(1_000_000n, byChance(16))),
    MAX_SHARE,
  ],
  [
    'DeleteSet by a proof that is right but for its last byte',
    (of) => remove(handleOf(numberOf(of), Buffer.concat([proofOf(of).subarray(0, 15), byChance(1)]))),
    (of) => remove(handleOf(numberOf(of), byChance(16))),
    MAX_SHARE,
  ],
  [
    'DeleteSet by a genuine handle',
    ({ victims }) => remove(victims.set.set_handle),
    (of) => remove(handleOf(numberOf(of), byChance(16))),
    MAX_SHARE_OF_GENUINE,
  ],
  [
    'ForceDeleteSet of a set',
    ({ victims }) => to('ForceDeleteSet', { set_id: victims.set.set_id }),
    () => to('ForceDeleteSet', { set_id: '1000000' }),
    MAX_SHARE,
  ],
])('a refusal takes no longer for what there is: %s', async (_what, there, notThere, maxShare) => {
  const a = world.peer('a')
  const took = async (sent: Sent) => {
    const began = performance.now()
    const { kind } = await a.send(sent)
    expect(kind).toBe('refused')
    return performance.now() - began
  }
  const times: { there: number; notThere: number }[] = []
  for (let round = -20; round < ROUNDS; round++) {
    const [first, second] = [there(world), notThere(world)]
    const isFirst = Math.random() < 0.5
    const early = await took(isFirst ? first : second)
    const late = await took(isFirst ? second : first)
    // The first few are those of a cold daemon.
    if (round >= 0) times.push(isFirst ? { there: early, notThere: late } : { there: late, notThere: early })
  }
  const [those, others] = [times.map((pair) => pair.there), times.map((pair) => pair.notThere)]
  const share = shareOfLonger(those, others)
  const figures = `medians ${median(those)} and ${median(others)} ms, ${share} of pairs took longer`
  expect(Math.max(share, 1 - share), figures).toBeLessThan(maxShare)
})

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0
}

/** Of all pairs of one of each: in how many the first is larger. */
function shareOfLonger(those: readonly number[], others: readonly number[]): number {
  const larger = those.reduce((sum, value) => sum + others.filter((other) => value > other).length, 0)
  return larger / (those.length * others.length)
}
