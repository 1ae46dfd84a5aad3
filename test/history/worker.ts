import { createActor, type Shared, type World } from './actor.ts'
import { runOwner } from './owner.ts'
import { openRecorder } from './record.ts'
import { runHolder, runWatcher } from './subscriber.ts'

/**
 * A process of clients: what they are is in its only argument, what they did in the file named there. Its parent tells it
 * what others have, and when to stop.
 */
export interface WorkerPlan {
  readonly name: string
  readonly seed: number
  readonly endpoint: string
  readonly records: string
  readonly capacity: number
  readonly leaseTtlMs: number
  readonly teardownTimeoutMs: number
  readonly owners: number
  readonly holders: number
  readonly watchers: number
}

const plan = JSON.parse(process.argv[2] ?? '') as WorkerPlan
const recorder = openRecorder(plan.records)
let isStopping = false
const world: World = {
  endpoint: plan.endpoint,
  recorder,
  handles: { sets: new Map(), leases: new Map() },
  sets: new Set(),
  leases: new Set(),
  lives: [],
  leaseTtlMs: plan.leaseTtlMs,
  isStopping: () => isStopping,
  share: (known) => void process.send?.(known),
}

process.on('message', (message: Shared | 'stop') => {
  if (message === 'stop') isStopping = true
  else {
    world.handles[message.kind].set(message.number, message.handle)
    world[message.kind].add(message.number)
  }
})
// A parent that is gone stops nobody any more.
process.on('disconnect', () => process.exit(isStopping ? 0 : 1))
if (!process.connected) process.exit(1)

let seed = plan.seed
const actors = (kind: string, count: number) =>
  Array.from({ length: count }, (_, index) => createActor(world, `${plan.name}-${kind}${index}`, ++seed))
const owners = actors('owner', plan.owners)
const holders = actors('holder', plan.holders)
const watchers = actors('watcher', plan.watchers)
await Promise.all([
  ...owners.map((actor) => runOwner(actor, plan.capacity)),
  ...holders.map((actor) => runHolder(actor, plan.teardownTimeoutMs)),
  ...watchers.map((actor) => runWatcher(actor)),
])
await Promise.all([...owners, ...holders, ...watchers].map(({ client }) => client.close()))
recorder.close()
process.disconnect()
