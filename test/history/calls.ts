import type { Client, SetRef as ClientRef } from '../../client/index.ts'
import type { Command, SetRef } from '../../server/core/command.ts'
import type { Ask, Outcome, Read } from './record.ts'
import { idShape, leaseShape, setShape } from './shapes.ts'

/** What a client needs to know of handles: commands name sets and leases by their numbers. */
export interface Handles {
  readonly sets: Map<number, string>
  readonly leases: Map<number, string>
}

type Answered = Extract<Outcome, { kind: 'answer' }>

/** Sends what is asked for as the SDK does it. */
export function send(client: Client, handles: Handles, asked: Ask): Promise<Answered> {
  if (asked.kind === 'read') return sendRead(client, handles, asked.read)
  return sendChange(client, handles, asked.command, asked.requestId)
}

/** A handle that names no set is refused as that of a set that is gone. */
const handleOf = (handles: ReadonlyMap<number, string>, number: number): string => handles.get(number) ?? 'gone'

const refOf = ({ sets }: Handles, ref: SetRef): ClientRef =>
  'setId' in ref ? { setHandle: handleOf(sets, ref.setId) } : { token: ref.token }

const answered = (answer: object, revision: bigint | undefined): Answered => ({
  kind: 'answer',
  answer,
  revision: revision === undefined ? undefined : Number(revision),
})

const done = ({ revision }: { readonly revision: bigint }): Answered => answered({ kind: 'done' }, revision)

async function sendRead(client: Client, handles: Handles, read: Read): Promise<Answered> {
  switch (read.kind) {
    case 'status': {
      const { reserved, available, sets, allocated, freePending, leases, revision } = await client.getStatus()
      return answered({ reserved, available, sets, allocated, freePending, leases }, revision)
    }
    case 'lease': {
      const lease = await client.getLease({ leaseHandle: handleOf(handles.leases, read.leaseId) })
      return answered(leaseShape(lease), undefined)
    }
    case 'id': {
      const { ioasid, setId } = read
      const setHandle = setId === undefined ? undefined : handleOf(handles.sets, setId)
      const info = await client.getIoasid({ ioasid, setHandle })
      return answered(idShape(info, setId !== undefined), undefined)
    }
    case 'set': {
      const set = await client.getSet(refOf(handles, read.ref))
      return answered(setShape(set), undefined)
    }
    case 'spid': {
      const { info } = await client.findBySpid({ ...refOf(handles, read.ref), spid: read.spid })
      return answered(idShape(info, 'setId' in read.ref), undefined)
    }
    case 'ids': {
      const ids: { ioasid: number }[] = []
      // One page: several would be several states.
      const list = client.listIoasids({ ...refOf(handles, read.ref), pageSize: 1_000 })
      for await (const info of list) ids.push(idShape(info, 'setId' in read.ref) as { ioasid: number })
      return answered({ ids: ids.sort((a, b) => a.ioasid - b.ioasid) }, undefined)
    }
  }
}

async function sendChange(
  client: Client,
  handles: Handles,
  command: Command,
  requestId: string | undefined,
): Promise<Answered> {
  const { kind } = command
  if ('setId' in command) return sendOwned(client, handleOf(handles.sets, command.setId), command, requestId)
  switch (kind) {
    case 'create_set': {
      const { token, quota, leaseId } = command
      const leaseHandle = leaseId === null ? undefined : handleOf(handles.leases, leaseId)
      const { set, revision } = await client.createSet({ token, quota, leaseHandle, requestId })
      handles.sets.set(Number(set.setId), set.setHandle)
      return answered({ kind: 'set', ...setShape(set) }, revision)
    }
    case 'grant_lease': {
      const { lease, revision } = await client.grantLease({ ...command.terms, requestId })
      handles.leases.set(Number(lease.leaseId), lease.leaseHandle)
      return answered({ kind: 'lease', ...leaseShape(lease) }, revision)
    }
    case 'register':
    case 'force_revoke_lease':
    case 'expire_lease':
    case 'end_registration':
      throw new Error(`${kind} is no call`)
    default:
      return sendHeld(client, handles, command, requestId)
  }
}

type Held = Extract<Command, { leaseId: unknown; kind: `a${string}` | `re${string}` }>

async function sendHeld(
  client: Client,
  handles: Handles,
  command: Exclude<Held, { kind: 'register' }>,
  requestId: string | undefined,
): Promise<Answered> {
  const leaseHandle = handleOf(handles.leases, command.leaseId)
  switch (command.kind) {
    case 'revive_lease': {
      const { lease, revision } = await client.keepLeaseAlive({ leaseHandle })
      return answered({ kind: 'lease', ...leaseShape(lease) }, revision)
    }
    case 'revoke_lease':
      return done(await client.revokeLease({ leaseHandle, requestId }))
    case 'acknowledge':
      return done(await client.acknowledge({ leaseHandle, revision: BigInt(command.revision) }))
    case 'acquire_by_spid': {
      const { set, spid } = command
      const request = { ...refOf(handles, set), spid, acquireForLease: leaseHandle, requestId }
      const { info, revision } = await client.findBySpid(request)
      return answered({ kind: 'found', ...idShape(info, false) }, revision)
    }
    case 'acquire':
    case 'release': {
      const request = { ...refOf(handles, command.set), ioasid: command.ioasid, leaseHandle, requestId }
      if (command.kind === 'acquire') {
        const { references, revision } = await client.acquire(request)
        return answered({ kind: 'acquired', references }, revision)
      }
      const { references, reclaimed, revision } = await client.release(request)
      return answered({ kind: 'released', references, reclaimed }, revision)
    }
  }
}

type Owned = Extract<Command, { setId: unknown }>

async function sendOwned(
  client: Client,
  setHandle: string,
  command: Owned,
  requestId: string | undefined,
): Promise<Answered> {
  const base = { setHandle, requestId }
  switch (command.kind) {
    case 'adjust_quota': {
      const { set, revision } = await client.adjustQuota({ ...base, quota: command.quota })
      return answered({ kind: 'set', ...setShape(set) }, revision)
    }
    case 'delete_set': {
      const { set, revision } = await client.deleteSet({ ...base, force: command.force })
      return answered({ kind: 'set', ...setShape(set) }, revision)
    }
    case 'force_delete_set':
      throw new Error('an operator has no place here')
    case 'allocate': {
      const { count, min, max, spids } = command
      const { ioasids, revision } = await client.allocate({ ...base, count, min, max, ...(spids && { spids }) })
      return answered({ kind: 'allocated', ids: ioasids }, revision)
    }
    case 'free': {
      const { ioasids, generation } = command
      const life = generation === null ? {} : { generation: BigInt(generation) }
      const { results, revision } = await client.free({ ...base, ioasids, ...life })
      const references = results.map((each) => each.references)
      return answered({ kind: 'freed', references: references.some((count) => count > 0) ? references : [] }, revision)
    }
    case 'free_all': {
      const { reclaimed, pending, revision } = await client.freeAll(base)
      return answered({ kind: 'freed_all', reclaimed, pending }, revision)
    }
    case 'attach_spid':
      return done(
        await client.attachSpid({ ...base, ioasid: command.ioasid, spid: command.spid, device: command.device }),
      )
    case 'detach_spid':
      return done(await client.detachSpid({ ...base, ioasid: command.ioasid, device: command.device }))
    case 'attach_data':
      return done(await client.attachData({ ...base, ioasid: command.ioasid, privateData: command.privateData }))
    case 'detach_data':
      return done(await client.detachData({ ...base, ioasid: command.ioasid }))
  }
}
