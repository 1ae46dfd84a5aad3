import type { DaemonStatus, IoasidSet, LeaseInfo } from '../index.ts'
import { type Column, tableLines } from './output.ts'

/** What `top` knows at one moment. */
export interface TopFacts {
  readonly status: DaemonStatus
  /** Committed changes since the page before; undefined on the first one. */
  readonly changesPerSecond: number | undefined
  /** Those with the most ids first. */
  readonly sets: readonly IoasidSet[]
  readonly leases: readonly LeaseInfo[]
  /** Newest first. */
  readonly events: readonly string[]
  /** Why these are not of now: nobody answers. */
  readonly stale: string | undefined
}

export interface Size {
  readonly columns: number
  readonly rows: number
}

const SET_COLUMNS: readonly Column<IoasidSet>[] = [
  { head: 'ALLOCATED', cell: (set) => set.allocated },
  { head: 'PENDING', cell: (set) => set.freePending },
  { head: 'BOUND', cell: (set) => set.bound },
  { head: 'QUOTA', cell: (set) => set.quota },
  { head: 'STATE', cell: (set) => set.state },
  { head: 'SET', cell: (set) => set.setId },
  { head: 'TOKEN', cell: (set) => set.token },
]

const LEASE_COLUMNS: readonly Column<LeaseInfo>[] = [
  { head: 'REFERENCES', cell: (lease) => lease.references },
  { head: 'SETS', cell: (lease) => lease.sets },
  { head: 'REMAINING_MS', cell: (lease) => lease.remainingMs },
  { head: 'ON_EXPIRY', cell: (lease) => lease.onExpiry },
  { head: 'STATE', cell: (lease) => lease.state },
  { head: 'LEASE', cell: (lease) => lease.leaseId },
  { head: 'NAME', cell: (lease) => lease.name },
]

/** A page of at most that many lines of at most that many letters. */
export function topPage(facts: TopFacts, { columns, rows }: Size): readonly string[] {
  const { sets, leases, events } = facts
  const head = headLines(facts, columns)
  // A section is a blank line, its heads and what is in it. Sets get half of the room, and what others leave.
  const room = Math.max(0, rows - head.length)
  const forLeases = Math.min(2 + leases.length, Math.floor(room / 4))
  const forEvents = Math.min(2 + events.length, Math.floor(room / 4))
  const lines = [
    ...head,
    ...section(tableLines(SET_COLUMNS, sets, true), room - forLeases - forEvents),
    ...section(tableLines(LEASE_COLUMNS, leases, true), forLeases),
    ...section(['LATEST EVENTS', ...events], forEvents),
  ]
  return lines.slice(0, rows).map((line) => line.slice(0, columns))
}

function section(lines: readonly string[], room: number): readonly string[] {
  const shown = Math.max(0, room - 1)
  // Heads with nothing below them say nothing.
  return shown < 2 || lines.length < 2 ? [] : ['', ...lines.slice(0, shown)]
}

function headLines({ status, changesPerSecond, stale }: TopFacts, columns: number): readonly string[] {
  const { version, store, role, revision, compactRevision, capacity, allocated, available } = status
  const { freePending, resting, sets, leases, subscriptions, overruns } = status
  const rate = changesPerSecond === undefined ? '' : ` (${changesPerSecond.toFixed(1)}/s)`
  const used = `${((100 * allocated) / capacity).toFixed(1)} %`
  return [
    `ioasidd ${version}  ${store}  ${role}  revision ${revision}${rate}  kept after ${compactRevision}`,
    `${bar(allocated / capacity, Math.min(40, columns - 10))} ${used}`,
    `ids      ${allocated} of ${capacity} allocated  ${freePending} pending  ${resting} resting  ${available} to reserve`,
    `clients  ${sets} sets  ${leases} leases  ${subscriptions} subscriptions  ${overruns} overruns`,
    ...(stale === undefined ? [] : [`NOT OF NOW: ${stale}`]),
  ]
}

function bar(share: number, width: number): string {
  if (width < 1) return ''
  const full = share > 0 ? Math.max(1, Math.round(share * width)) : 0
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
}
