import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type Failure, REASONS } from '../../server/core/failure.ts'
import { tellScenario } from '../core/scenario.ts'

const root = new URL('../../', import.meta.url)

/** The contract's section 5, status by status. */
const CONTRACT: Record<string, string> = {
  INVALID_ARGUMENT: 'INVALID_FIELD INVALID_RANGE INVALID_SPID',
  NOT_FOUND: 'SET_NOT_FOUND IOASID_NOT_FOUND SPID_NOT_FOUND LEASE_NOT_FOUND',
  ALREADY_EXISTS: 'TOKEN_IN_USE SPID_IN_USE',
  PERMISSION_DENIED: 'WRONG_SET NOT_PERMITTED',
  RESOURCE_EXHAUSTED: 'QUOTA_EXCEEDED CAPACITY_EXCEEDED RANGE_EXHAUSTED TOO_MANY',
  FAILED_PRECONDITION:
    'SET_NOT_EMPTY SET_DRAINING QUOTA_BELOW_USE FREE_PENDING ALREADY_BOUND NOT_BOUND DATA_ATTACHED NO_DATA NOT_HELD ' +
    'HOLD_DIFFERS STALE_GENERATION REQUEST_ID_REUSED',
  ABORTED: 'SUPERSEDED',
  OUT_OF_RANGE: 'COMPACTED FUTURE_REVISION HISTORY_CHANGED',
}

/** The contract names no reasons for these statuses; the project's own do for programs what the sentences do for people. */
const OWN_STATUSES = ['UNAUTHENTICATED', 'UNAVAILABLE']

interface Row {
  readonly status: string
  readonly reason: string
  /** `key`, or `key?` where it applies only sometimes. */
  readonly keys: readonly string[]
}

/** The rows of the comment `//   STATUS  REASON  KEYS` in resources.proto. */
function errorTable(): readonly Row[] {
  const text = readFileSync(new URL('proto/ioasid/v1/resources.proto', root), 'utf8')
  return [...text.matchAll(/^\/\/ {3}([A-Z_]+) +([A-Z_]+) +(-|[a-z_? ]+)$/gm)].map(
    ([, status = '', reason = '', keys = '']) => ({
      status,
      reason,
      keys: keys === '-' ? [] : keys.trim().split(/ +/),
    }),
  )
}

function refusalsOfScenarios(): readonly Failure[] {
  const folder = new URL('test/core/scenarios/', root)
  return readdirSync(folder).flatMap((file) => tellScenario(readFileSync(new URL(file, folder), 'utf8')).refusals)
}

function reasonsInCore(): readonly string[] {
  const folder = new URL('server/core/', root)
  const source = readdirSync(folder).map((file) => readFileSync(new URL(file, folder), 'utf8'))
  return [
    ...new Set(
      source.flatMap((text) => [...text.matchAll(/\bfail\(\s*'([A-Z_]+)'/g)].map(([, reason = '']) => reason)),
    ),
  ]
}

describe('the table of failures', () => {
  const refusals = refusalsOfScenarios()

  it('has every reason of the contract with its status, and no others but those of the statuses that it leaves open', () => {
    const named = Object.entries(REASONS).filter(([, status]) => !OWN_STATUSES.includes(status))
    const contract = Object.entries(CONTRACT).flatMap(([status, reasons]) =>
      reasons.split(' ').map((reason) => [reason, status]),
    )
    expect(Object.fromEntries(named)).toEqual(Object.fromEntries(contract))
    expect([...new Set(Object.values(REASONS))].sort()).toEqual([...Object.keys(CONTRACT), ...OWN_STATUSES].sort())
  })

  it('is the one of the reference manual, row by row', () => {
    const rows = errorTable()
    expect(rows.length).toBe(new Set(rows.map(({ reason }) => reason)).size)
    expect(Object.fromEntries(rows.map(({ reason, status }) => [reason, status]))).toEqual(REASONS)
  })

  it('names the facts of every refusal that the core makes: all that always apply, and no others', () => {
    const keysOf = new Map(errorTable().map(({ reason, keys }) => [reason as string, keys]))
    for (const { reason, metadata } of refusals) {
      const keys = keysOf.get(reason) ?? []
      const always = keys.filter((key) => !key.endsWith('?'))
      expect({ reason, keys: Object.keys(metadata) }).toEqual({ reason, keys: expect.arrayContaining(always) })
      const known = keys.map((key) => key.replace('?', ''))
      expect({ reason, unknown: Object.keys(metadata).filter((key) => !known.includes(key)) }).toEqual({
        reason,
        unknown: [],
      })
    }
  })

  it('and a scenario shows every reason that the core can answer with', () => {
    const shown = new Set(refusals.map(({ reason }) => reason as string))
    expect(reasonsInCore().filter((reason) => !shown.has(reason))).toEqual([])
  })

  it('has a sentence for people in every refusal, that ends as sentences do', () => {
    for (const { message } of refusals) expect(message).toMatch(/^\S.*\.$/)
  })
})
