import { mayWatch, notPermitted, type Owned } from '../core/access.ts'
import type { Caller, Rights } from '../core/caller.ts'
import type { Names } from '../core/event.ts'
import type { SetId } from '../core/ids.ts'
import type { State } from '../core/state.ts'
import type { Subscription } from './subscription.ts'

/** Whose each open subscription is: how many an identity has, and which of them a new policy ends. */
export interface Watchers {
  count(identity: string): number
  /** Keeps it until it ends. */
  add(subscription: Subscription, watcher: Watcher): void
  /** Ends those whose callers may no longer see what they named. */
  enforce(rightsOf: (identity: string) => Rights | undefined): void
}

export interface Watcher {
  readonly caller: Caller
  readonly names: Names
  /** The sets that it named by handle, some of which may have ended. */
  readonly sets: ReadonlyMap<SetId, Owned>
}

export function createWatchers(): Watchers {
  const open = new Map<Subscription, Watcher>()
  const counts = new Map<string, number>()

  const add = (identity: string, change: number) => {
    const count = (counts.get(identity) ?? 0) + change
    if (count === 0) counts.delete(identity)
    else counts.set(identity, count)
  }

  return {
    count: (identity) => counts.get(identity) ?? 0,
    add: (subscription, watcher) => {
      const { identity } = watcher.caller
      open.set(subscription, watcher)
      add(identity, 1)
      subscription.signal.addEventListener('abort', () => {
        open.delete(subscription)
        add(identity, -1)
      })
    },
    enforce: (rightsOf) => {
      for (const [subscription, { caller, names, sets }] of [...open]) {
        const now = withRights(caller, rightsOf(caller.identity))
        if (mayWatch(names, (setId) => sets.get(setId), now) !== undefined) subscription.end(notPermitted(now))
      }
    },
  }
}

/** The registrations whose holders may no longer see what they name; those of leases that nobody is known to have, too. */
export function forbiddenHolds(state: State, rightsOf: (identity: string) => Rights | undefined) {
  return [...state.leases.values()].filter(({ owner, holding }) => {
    const caller = { identity: owner, rights: rightsOf(owner), isAdmin: false }
    const names = holding?.names ?? null
    return names !== null && mayWatch(names, (setId) => state.sets.get(setId), caller) !== undefined
  })
}

/** The same caller under another policy: nobody becomes an administrator who was none where he came in. */
export function withRights(caller: Caller, rights: Rights | undefined): Caller {
  return { ...caller, rights, isAdmin: caller.isAdmin && (rights === undefined || rights.administer) }
}
