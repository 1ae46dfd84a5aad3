import type { Holder, IoasidInfo } from '../index.ts'

/** Who holds an id, two lines for each, for people: of one that is freed it is why it is not free yet. */
export function explainHolders({ state, references, holders }: IoasidInfo, nowMs: number): string {
  if (references === 0) return ''
  const isPending = state === 'FREE_PENDING'
  const held = isPending
    ? `not free yet: ${plural(references, 'reference')} left`
    : `held: ${plural(references, 'reference')}`
  if (holders.length > 0)
    return `${held}\n${holders.map((holder) => `  ${describe(holder, isPending, nowMs)}\n`).join('')}`
  // Who neither has the set's handle nor is an operator is told no names.
  return isPending ? `${held}; with --set-handle it is shown who holds them\n` : ''
}

function describe(holder: Holder, isPending: boolean, nowMs: number): string {
  const { leaseId, name, count, sinceRevision, sinceTime } = holder
  const who = name === '' ? `lease ${leaseId}` : `lease ${leaseId} (${name})`
  const since = `since revision ${sinceRevision}, ${ago(nowMs - sinceTime.getTime())} (${sinceTime.toISOString()})`
  return `${who}: ${plural(count, 'reference')}${awaited(holder, isPending)}\n    ${since}`
}

function awaited({ count, awaitingRevision }: Holder, isPending: boolean): string {
  if (awaitingRevision !== undefined) return `, has yet to acknowledge revision ${awaitingRevision}`
  // What a hold has not is acquired.
  return isPending ? `, has yet to release ${count === 1 ? 'it' : 'them'}` : ''
}

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`

const STEPS = [
  { unit: 'd', ofMs: 86_400_000 },
  { unit: 'h', ofMs: 3_600_000 },
  { unit: 'm', ofMs: 60_000 },
  { unit: 's', ofMs: 1_000 },
] as const

/** The two largest units: `2h 5m ago`. Two clocks may differ, and nothing is held since later than now. */
function ago(elapsedMs: number): string {
  const parts: string[] = []
  let restMs = Math.max(0, elapsedMs)
  for (const { unit, ofMs } of STEPS) {
    const count = Math.floor(restMs / ofMs)
    restMs -= count * ofMs
    if (count > 0 || parts.length > 0) parts.push(`${count}${unit}`)
    if (parts.length === 2) break
  }
  return `${parts.length === 0 ? '0s' : parts.join(' ')} ago`
}
