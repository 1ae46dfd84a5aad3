import { expect } from 'vitest'
import type { Refusal } from '../support/rpc.ts'
import { type Outcome, read, type Sent, to } from './peer.ts'
import type { Who, World } from './world.ts'

/** Something that is tried and must not succeed. */
export interface Attempt {
  /** What is tried, as a sentence whose subject is who tries it. */
  readonly name: string
  /** What it must be refused with; NO_CONNECTION: nobody listens to him at all; UNIMPLEMENTED: there is nothing to call. */
  readonly reason: string
  /** Default: the tenant `a`. */
  readonly who?: Who
  readonly sent: (world: World) => Sent
  /** The same for something that does not exist: it must be answered alike. */
  readonly twin?: (world: World) => Sent
  /** The attempt is the middle one of three items, of which the others are the attacker's own and succeed. */
  readonly inBatch?: boolean
}

/** Runs one, and checks the refusal; gives what to compare with its twin's, and all that came back. */
export async function run(world: World, attempt: Attempt, sent: Sent): Promise<{ like: string; everything: string }> {
  const outcome = await world.peer(attempt.who ?? 'a').send(sent)
  const { refusal, everything } = attempt.inBatch ? refusedItem(outcome) : refusedWhole(outcome)
  if (attempt.reason === 'NO_CONNECTION') {
    expect(refusal).toMatchObject({ status: 'UNAVAILABLE', reason: '' })
  } else if (attempt.reason === 'UNIMPLEMENTED') {
    expect(refusal).toMatchObject({ status: 'UNIMPLEMENTED', reason: '' })
  } else {
    expect(`${refusal.status} ${refusal.reason}`).toBe(`${STATUS[attempt.reason]} ${attempt.reason}`)
    expect(refusal.domain).toBe('ioasid')
  }
  // What is wrong with a field may be said with the daemon's limits; anything else, with the facts alone.
  const numbers = refusal.reason === 'INVALID_FIELD' ? [] : (refusal.message.match(/\d+/g) ?? [])
  if (attempt.reason === refusal.reason)
    expect(Object.values(refusal.metadata)).toEqual(expect.arrayContaining(numbers))
  for (const fact of Object.keys(refusal.metadata)) expect(FACTS).toContain(fact)
  if (refusal.metadata['set_id'] !== undefined) expect(world.own.setIds).toContain(refusal.metadata['set_id'])
  const { status, reason, message, metadata, violations, retryMs } = refusal
  // Numbers that he sent himself differ between what exists and what does not.
  const like = JSON.stringify([status, reason, message, metadata, violations, retryMs]).replace(/\d+/g, 'N')
  return { like, everything }
}

const STATUS: Readonly<Record<string, string>> = {
  NOT_PERMITTED: 'PERMISSION_DENIED',
  WRONG_SET: 'PERMISSION_DENIED',
  NO_IDENTITY: 'UNAUTHENTICATED',
  INVALID_FIELD: 'INVALID_ARGUMENT',
  SET_NOT_FOUND: 'NOT_FOUND',
  LEASE_NOT_FOUND: 'NOT_FOUND',
  SPID_NOT_FOUND: 'NOT_FOUND',
  IOASID_NOT_FOUND: 'NOT_FOUND',
  RANGE_EXHAUSTED: 'RESOURCE_EXHAUSTED',
}

/** What a refusal may tell. A set_id only of the attacker's own; numbers of leases, counts of references and names never. */
const FACTS = ['field', 'ioasid', 'set_id', 'spid', 'min', 'max', 'requested', 'available']

interface Refused {
  readonly refusal: Refusal
  readonly everything: string
}

function refusedWhole(outcome: Outcome): Refused {
  if (outcome.kind === 'answered') throw new Error('it was answered')
  return outcome
}

const CODES: Readonly<Record<number, string>> = { 3: 'INVALID_ARGUMENT', 5: 'NOT_FOUND', 7: 'PERMISSION_DENIED' }

function refusedItem(outcome: Outcome): Refused {
  if (outcome.kind === 'refused') throw new Error('the whole Batch was refused')
  const { results } = read('Batch', outcome.bytes)
  expect(results.map(({ result }) => result)).toEqual(['attach_data', 'failure', 'detach_data'])
  const failure = results[1]?.failure
  if (failure === undefined) throw new Error('it was answered')
  const { code, reason, message, metadata } = failure
  const known = { domain: 'ioasid', violations: [], retryMs: undefined }
  const refusal = { ...known, status: CODES[code] ?? String(code), reason, message, metadata }
  return { refusal, everything: outcome.bytes.toString('latin1') }
}

/** An item between two of the attacker's own. */
export function batch({ own }: World, item: object): Sent {
  const mine = { set_handle: own.set.set_handle, ioasid: own.ioasid }
  const items = [{ attach_data: { ...mine, private_data: Buffer.from('a') } }, item, { detach_data: mine }]
  return to('Batch', { items })
}
