import type { Ioasid, Revision, SetId, Spid } from './ids.ts'
import { asIoasid, asSpid, NO_SPID } from './ids.ts'
import type { IdRecord, SetRecord } from './state.ts'

/** What is shown of a set: contract section 4, `Set`, without the handle, which only the edge can compute. */
export interface SetView {
  readonly setId: SetId
  readonly token: string
  readonly quota: number
  readonly allocated: number
  readonly bound: number
  readonly state: 'ACTIVE' | 'GONE'
  readonly createRevision: Revision
}

export function viewSet(set: SetRecord): SetView {
  const { setId, token, quota, bound, createRevision } = set
  return { setId, token, quota, allocated: set.ids.count, bound, state: 'ACTIVE', createRevision }
}

/** What is shown of an allocated id: contract section 4, `IoasidInfo`. */
export interface IoasidView {
  readonly ioasid: Ioasid
  readonly setId: SetId
  readonly token: string
  readonly spid: Spid | undefined
  readonly state: 'IDLE' | 'ACTIVE'
  readonly generation: Revision
  readonly bindRevision: Revision | undefined
  readonly devices: readonly string[]
  /** For who presented the set's handle; the edge leaves it out for everybody else. */
  readonly privateData: Uint8Array | undefined
}

export function viewIoasid(id: number, record: IdRecord, token: string): IoasidView {
  const isBound = record.spid !== NO_SPID
  return {
    ioasid: asIoasid(id),
    setId: record.setId,
    token,
    spid: isBound ? asSpid(record.spid) : undefined,
    state: isBound ? 'ACTIVE' : 'IDLE',
    generation: record.generation,
    bindRevision: isBound ? record.bindRevision : undefined,
    devices: record.devices,
    privateData: record.data,
  }
}
