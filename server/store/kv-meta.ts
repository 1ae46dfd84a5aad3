import type { Revision } from '../core/ids.ts'
import { damaged, decodeJson, decodePart, encodeJson, encodePart, fromBase64, toBase64 } from './codec.ts'
import { type Change, type Kv, TABLES } from './kv.ts'
import { type Genesis, StoreError } from './store.ts'

/** The table `meta`: what a start must know before it reads anything else. */

/**
 * 1: each entry of the log has a record, or several, of its own.
 * 2: entries that were written together share records (kv-log.ts).
 * 3: entries say whose request they were, sets and leases whose they are, and a registration may end before its lease.
 * What earlier ones wrote reads the same.
 */
export const FORMAT = 3

export interface LogMeta {
  readonly compactRevision: Revision
  /** Of all entries together, as encoded. */
  readonly bytes: number
}

/** The snapshot in force. */
export interface SnapshotMeta {
  readonly number: number
  readonly revision: Revision
}

interface GenesisMeta {
  readonly spaceId: string
  readonly handleKey: string
}

export function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** Names the history of an empty store. Throws StoreError where there is something, but no word in which format. */
export async function beginHistory(kv: Kv, genesis: Genesis): Promise<void> {
  if (kv.get('meta', ascii('format')) !== undefined) return
  const used = TABLES.find((table) => kv.lastKey(table) !== undefined)
  if (used !== undefined) throw damaged(`${kv.name} has a table "${used}", but does not say in which format`)
  await kv.write(beginningOf(FORMAT, genesis))
}

/** What the meta table says first of a history that was elsewhere, in whatever format that was. */
export function beginningOf(format: number, { spaceId, handleKey }: Genesis): readonly Change[] {
  const written: GenesisMeta = { spaceId, handleKey: toBase64(handleKey) }
  return [...formatChanges(format), metaChange('genesis', written)]
}

/** Not a record, so that every release can read it, whatever records look like by then; and once more, as a record. */
function formatChanges(format: number): readonly Change[] {
  return [{ table: 'meta', key: ascii('format'), value: ascii(`${format}`) }, metaChange('format-again', format)]
}

/** Throws StoreError where the format is not the one that was written: of data that an earlier release wrote it is not known. */
export function verifyFormat(kv: Kv): void {
  const written = readMeta(kv, 'format-again')
  const format = readFormat(kv)
  if (written === undefined || written === format) return
  throw damaged(`${kv.name} says that it is in format ${format}, and was written in format ${String(written)}`)
}

export function readFormat(kv: Kv): number {
  const written = Buffer.from(kv.get('meta', ascii('format')) ?? []).toString('latin1')
  return /^[1-9][0-9]{0,8}$/.test(written) ? Number(written) : 0
}

/**
 * Makes a store of an earlier format one of this. Before anything is added: an earlier release, which may be started again,
 * would take what it finds for something else, here the last record for one entry.
 */
export function raiseFormat(kv: Kv): readonly Change[] {
  return readFormat(kv) < FORMAT ? formatChanges(FORMAT) : []
}

export function checkFormat(kv: Kv): void {
  const format = readFormat(kv)
  if (format === 0) throw damaged(`${kv.name} does not say in which format it is`)
  if (format <= FORMAT) return
  const message = `${kv.name} has format ${format}, this release reads up to ${FORMAT}: start the release that wrote it`
  throw new StoreError('NEWER_FORMAT', message)
}

export function readGenesis(kv: Kv): Genesis {
  const written = readMeta(kv, 'genesis') as GenesisMeta | undefined
  if (written === undefined) throw damaged(`${kv.name} does not say which space it is of`)
  return { spaceId: written.spaceId, handleKey: fromBase64(written.handleKey) }
}

export function readLogMeta(kv: Kv): LogMeta | undefined {
  return readMeta(kv, 'log') as LogMeta | undefined
}

export function logMetaChange(meta: LogMeta): Change {
  return metaChange('log', meta)
}

export function readSnapshotMeta(kv: Kv): SnapshotMeta | undefined {
  return readMeta(kv, 'snapshot') as SnapshotMeta | undefined
}

export function snapshotMetaChange(meta: SnapshotMeta): Change {
  return metaChange('snapshot', meta)
}

function readMeta(kv: Kv, name: string): unknown {
  const record = kv.get('meta', ascii(name))
  if (record === undefined) return undefined
  const what = `the record "${name}" of ${kv.name}`
  return decodeJson(decodePart(record, what).payload, what)
}

function metaChange(name: string, value: unknown): Change {
  return { table: 'meta', key: ascii(name), value: encodePart({ number: 0, more: false, payload: encodeJson(value) }) }
}
