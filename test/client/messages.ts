import type { Notification } from '../../proto/gen/ioasid/v1/Notification.ts'
import type { SubscribeResponse } from '../../proto/gen/ioasid/v1/SubscribeResponse.ts'

/** What a daemon sends to a subscriber, short enough to read in a test. */

export const SPACE = 'space-1'

type Kind = 'HEADER' | 'NOTIFICATIONS' | 'SNAPSHOT_END' | 'HEARTBEAT'

const message = (kind: Kind, revision: number, prev: number, more: SubscribeResponse = {}): SubscribeResponse => ({
  subscription_id: '1',
  space_id: SPACE,
  kind,
  revision: String(revision),
  prev_revision: String(prev),
  ...more,
})

export const header = (revision: number, space_id = SPACE) => message('HEADER', revision, 0, { space_id })
export const heartbeat = (revision: number, prev: number) => message('HEARTBEAT', revision, prev)
export const snapshotEnd = (revision: number, prev = revision) => message('SNAPSHOT_END', revision, prev)

export const bind = (revision: number, ioasid: number, spid: number, rest: Notification = {}): Notification => ({
  type: 'BIND',
  revision: String(revision),
  token: 'vm-a',
  set_id: '1',
  ioasid,
  generation: '1',
  spid,
  bind_revision: String(revision),
  ...rest,
})

/** Of the binding that `bind` at another revision has made. */
export const unbind = (revision: number, ioasid: number, spid: number, bound: number, rest: Notification = {}) =>
  bind(revision, ioasid, spid, { type: 'UNBIND', bind_revision: String(bound), ...rest })

export const free = (revision: number, ioasid: number): Notification => ({
  type: 'FREE',
  revision: String(revision),
  token: 'vm-a',
  set_id: '1',
  ioasid,
  generation: '1',
})

/** Any events of one revision, or any part of a snapshot. */
export const change = (revision: number, prev: number, notifications: Notification[], more = false) =>
  message('NOTIFICATIONS', revision, prev, { more, notifications })

/** Events of one revision; each is a BIND of the given id to a SPID a hundred higher. */
export const events = (revision: number, prev: number, ioasids: number[], more = false) =>
  message('NOTIFICATIONS', revision, prev, {
    more,
    notifications: ioasids.map((ioasid) => bind(revision, ioasid, ioasid + 100)),
  })
