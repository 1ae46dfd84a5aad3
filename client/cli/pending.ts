import type { Holder, IoasidInfo } from '../index.ts'

/** Why a freed id is not free yet, a line for each holder, for people; nothing of an id that is not pending. */
export function explainPending({ state, references, holders }: IoasidInfo, nowMs: number): string {
  if (state !== 'FREE_PENDING') return ''
  const held = `not free yet: ${plural(references, 'reference')} left`
  // Without the set's handle the daemon names nobody.
  if (holders.length === 0) return `${held}; with --set-handle it is shown who holds them\n`
  return `${held}\n${holders.map((holder) => `  ${describe(holder, nowMs)}\n`).join('')}`
}

function describe(holder: Holder, nowMs: number): string {
  const { leaseId, name, count, sinceRevision, sinceTime, awaitingRevision } = holder
  const who = name === '' ? `lease ${leaseId}` : `lease ${leaseId} (${name})`
  const since = `since revision ${sinceRevision}, ${ago(nowMs - sinceTime.getTime())} (${sinceTime.toISOString()})`
  const awaited = awaitingRevision === undefined ? '' : `, has yet to acknowledge revision ${awaitingRevision}`
  return `${who}: ${plural(count, 'reference')} ${since}${awaited}`
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
