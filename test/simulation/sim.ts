import type { Coverage } from './coverage.ts'
import type { Disk } from './disk.ts'
import type { World } from './world.ts'

/** What all parts of a run have in common. */
export interface Sim {
  readonly world: World
  readonly disk: Disk
  readonly coverage: Coverage
  /** What must not be. The first report ends the run. */
  readonly report: (checker: Checker, sentence: string) => void
  /** A line of the story; made only where somebody reads it. */
  readonly trace: (line: () => string) => void
  /** How late a timer of the daemon is: drawn for each. */
  readonly latenessMs: () => number
}

/** Who finds a fault, by name: a planted bug is reported by one of them. */
export const CHECKERS = {
  'one-owner': 'no id is in two sets; what is handed out was free',
  'no-early-reuse': 'an id is not handed out while a holder that was told of its BIND has it, nor before its rest',
  'durable-before-visible': 'nothing is told that is not on the disk',
  'stream-order': 'revisions ascend on a stream',
  'stream-unique': 'a subscriber is told of a revision once',
  'stream-complete': 'a subscriber is told of everything that matches, in time',
  'stream-atomic': 'what one revision has for a subscriber comes whole',
  'stream-filter': 'nothing is told that was not asked for',
  'heartbeat-never-ahead': 'a heartbeat carries what has been told, and comes in time',
  'bind-unbind-alternate': 'BIND and UNBIND, and the states of an id, follow one another as the contract says',
  waves:
    'IOMMU and DEVICE holders are told of a teardown in their turn, or marked when the time is up, and then at once',
  snapshot: 'a snapshot shows what there is, all of it',
  accounts: 'what is counted is what there is',
  'exactly-once': 'a request_id changes something once, and has one answer',
  'lease-end': 'a lease ends between its time and its time + 1 s + restarts x grace',
  'hold-reference': 'from BIND on every matching registration has a reference',
  'answers-in-order': 'every answer and refusal is what a naive model of the contract says, in the order of revisions',
  restart: 'a start finds what was durable',
  sound: 'the daemon ends only when its disk fails, and always gets on',
} as const

export type Checker = keyof typeof CHECKERS
