import { type LeaseId, NO_SPID } from '../../server/core/ids.ts'
import { AGED, BOUND, idsOf, UNBOUND } from '../../server/core/runs.ts'
import type { Users } from './checkers/users.ts'
import type { Message } from './connection.ts'

/** Writes down what a holder has heard; whether there is something for it to clean up. */
export function keepBooks(users: Users, leaseId: LeaseId, message: Message): boolean {
  if (message.kind === 'snapshot') {
    const ids = message.items.flatMap((item) => (item.kind === 'ioasid' ? [item] : []))
    const bound = ids.filter(({ record }) => record.spid !== NO_SPID && !record.isPending)
    for (const { ioasid } of bound) users.bound(leaseId, ioasid, 'snapshot')
    users.settleOthers(leaseId, new Set(bound.map(({ ioasid }) => ioasid)), message.revision)
    return true
  }
  if (message.kind !== 'told') return false
  const { revision, events } = message.item
  for (const event of events) {
    if (event.kind === 'BIND') for (const id of idsOf(event.runs, BOUND)) users.bound(leaseId, id, revision)
    if (event.kind === 'UNBIND') for (const id of idsOf(event.runs, UNBOUND)) users.torn(leaseId, id, revision)
    if (event.kind === 'FREE') for (const id of idsOf(event.runs, AGED)) users.torn(leaseId, id, revision)
  }
  return events.some(({ kind }) => kind === 'UNBIND' || kind === 'FREE')
}
