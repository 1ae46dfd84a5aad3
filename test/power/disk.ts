import type { Below } from '../crash/chance.ts'
import type { Act, Step } from './trace.ts'

/**
 * A disk under a data directory. What a write has changed is in the cache only, and may be on the disk or not, sector by
 * sector, in any order, in the form that any of the writes since the last sync gave it; until a sync that began after the
 * write's end has returned, or a write through O_DSYNC has.
 */
export interface Disk {
  follow(step: Step): void
  /** What the data file would be after a power cut now; undefined: it is not there. */
  image(mode: Mode, below: Below): Buffer | undefined
  /** The process was killed: what it had begun has happened or not, as its file shows. Says where the model is wrong. */
  settle(actual: Buffer): readonly string[]
}

/** Of what was not synced: nothing, everything, single sectors, whole pages, or the first writes and no later ones. */
export const MODES = ['certain', 'newest', 'sectors', 'pages', 'first'] as const
export type Mode = (typeof MODES)[number]

const SECTOR_BYTES = 512
const PAGE_SECTORS = 8

interface Flight {
  readonly number: number
  readonly isDurable: boolean
  endedAt: number | undefined
}

/** A sector as a write leaves it. */
interface Version {
  readonly flight: Flight
  readonly bytes: Uint8Array
}

/** What the process sees is the newest version of each sector, else what is on the disk. */
interface Sectors {
  readonly durable: Map<number, Uint8Array>
  /** Those that may be on the disk or not, in the order of their writes. */
  readonly pending: Map<number, Version[]>
}

/** Whether the file is there, and whether its name and that of its directory are on the disk. */
interface Names {
  isThere: boolean
  hasName: boolean
  hasDirectoryName: boolean
}

/** `liesFrom`: a disk that says from this step on that it has synced, and has not. For tests of the tests. */
export function createDisk({ liesFrom = Number.POSITIVE_INFINITY } = {}): Disk {
  const sectors: Sectors = { durable: new Map(), pending: new Map() }
  const names: Names = { isThere: false, hasName: false, hasDirectoryName: true }
  const flights = new Map<Act, Flight>()
  const begun = new Map<Act, number>()
  let step = 0
  const isHonest = () => step < liesFrom

  const end = (act: Act) => {
    const flight = flights.get(act)
    if (flight !== undefined) flight.endedAt = step
    const beganAt = begun.get(act) ?? 0
    if (act.kind === 'write' && act.isDurable && isHonest()) harden(sectors, (other) => other === flight)
    if (act.kind === 'sync' && isHonest()) harden(sectors, ({ endedAt = beganAt }) => endedAt < beganAt)
    followName(names, act)
  }

  return {
    follow: ({ kind, act }) => {
      step += 1
      if (kind === 'end') return end(act)
      begun.set(act, step)
      if (act.kind !== 'write') return
      const flight: Flight = { number: step, isDurable: act.isDurable, endedAt: undefined }
      flights.set(act, flight)
      write(sectors, act, flight)
    },
    image: (mode, below) => {
      const { isThere, hasName, hasDirectoryName } = names
      const isSure = hasName && hasDirectoryName
      if (!isThere || (!isSure && (mode === 'certain' || below(2) === 0))) return undefined
      const { durable, pending } = sectors
      const chosen = new Map(durable)
      const choose = chooser(mode, below, step)
      for (const [sector, versions] of pending) {
        const version = choose(sector, versions)
        if (version !== undefined) chosen.set(sector, version.bytes)
      }
      // A file may have grown before its data are there: what is missing reads as zeros.
      const grown = mode === 'certain' || below(2) === 0 ? [] : pending.keys()
      return joined(chosen, [...chosen.keys(), ...grown])
    },
    settle: (actual) => {
      keepWhatHappened(sectors, actual)
      // A call that is under way when its process is killed is carried to its end before the lock is let go of.
      for (const flight of flights.values()) flight.endedAt ??= step
      if (isHonest()) harden(sectors, ({ isDurable }) => isDurable)
      const cached = new Map(
        [...sectors.durable.keys(), ...sectors.pending.keys()].map((at) => [at, latest(sectors, at)]),
      )
      return differences(joined(cached, [...cached.keys()]), actual)
    },
  }
}

function latest({ durable, pending }: Sectors, sector: number): Uint8Array {
  return pending.get(sector)?.at(-1)?.bytes ?? durable.get(sector) ?? new Uint8Array(SECTOR_BYTES)
}

function write(sectors: Sectors, act: Act & { readonly kind: 'write' }, flight: Flight): void {
  const end = act.offset + act.bytes.length
  for (let sector = Math.floor(act.offset / SECTOR_BYTES); sector * SECTOR_BYTES < end; sector++) {
    const bytes = latest(sectors, sector).slice()
    const from = Math.max(act.offset, sector * SECTOR_BYTES)
    const part = act.bytes.subarray(from - act.offset, (sector + 1) * SECTOR_BYTES - act.offset)
    bytes.set(part, from - sector * SECTOR_BYTES)
    const versions = sectors.pending.get(sector) ?? []
    versions.push({ flight, bytes })
    sectors.pending.set(sector, versions)
  }
}

/** The newest version that is covered is on the disk, and those before it are past. */
function harden({ durable, pending }: Sectors, covers: (flight: Flight) => boolean): void {
  for (const [sector, versions] of pending) {
    const index = versions.findLastIndex(({ flight }) => covers(flight))
    const version = versions[index]
    if (version === undefined) continue
    durable.set(sector, version.bytes)
    if (index + 1 === versions.length) pending.delete(sector)
    else pending.set(sector, versions.slice(index + 1))
  }
}

/** Of the writes that were under way, those that can be seen. */
function keepWhatHappened({ pending }: Sectors, actual: Buffer): void {
  for (const [sector, versions] of pending) {
    const found = actual.subarray(sector * SECTOR_BYTES, (sector + 1) * SECTOR_BYTES)
    const happened = versions.filter(({ flight, bytes }) => flight.endedAt !== undefined || found.equals(bytes))
    if (happened.length > 0) pending.set(sector, happened)
    else pending.delete(sector)
  }
}

function followName(names: Names, { kind }: Act): void {
  if (kind === 'create') names.isThere = true
  if (kind === 'syncNames') names.hasName = names.isThere
  if (kind === 'makeDirectory') names.hasDirectoryName = false
  if (kind === 'syncParent') names.hasDirectoryName = true
}

type Choose = (sector: number, versions: readonly Version[]) => Version | undefined

/** Which of the versions that are not certain is on the disk; undefined: none of them. */
function chooser(mode: Mode, below: Below, step: number): Choose {
  const share = below(4)
  const last = below(step + 1)
  const pages = new Map<number, boolean>()
  switch (mode) {
    case 'certain':
      return () => undefined
    case 'newest':
      return (_, versions) => versions.at(-1)
    case 'sectors':
      return (_, versions) => (below(4) < share ? undefined : versions[below(versions.length)])
    case 'pages':
      return (sector, versions) => {
        const page = Math.floor(sector / PAGE_SECTORS)
        const isIn = pages.get(page) ?? below(4) >= share
        pages.set(page, isIn)
        return isIn ? versions.at(-1) : undefined
      }
    case 'first':
      return (_, versions) => versions.findLast(({ flight }) => flight.number <= last)
  }
}

function joined(sectors: ReadonlyMap<number, Uint8Array>, present: readonly number[]): Buffer {
  const length = present.reduce((most, sector) => Math.max(most, sector + 1), 0) * SECTOR_BYTES
  const file = Buffer.alloc(length)
  for (const [sector, bytes] of sectors) file.set(bytes, sector * SECTOR_BYTES)
  return file
}

/** A write that nobody has traced shows here. */
function differences(model: Buffer, actual: Buffer): string[] {
  if (model.length !== actual.length) return [`the file has ${actual.length} bytes, its model ${model.length}`]
  if (model.equals(actual)) return []
  const at = model.findIndex((byte, index) => byte !== actual[index])
  return [`the file is not its model, from byte ${at} on`]
}
