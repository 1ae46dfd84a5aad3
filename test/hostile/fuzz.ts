import { status } from '@grpc/grpc-js'
import { createRandom } from '../simulation/random.ts'
import type { Message } from '../support/wire.ts'
import { createCaller, type Outcome } from './caller.ts'
import { judge } from './judge.ts'
import { type BadRequest, badRequest } from './requests.ts'
import type { Target } from './target.ts'
import { createWorld, type World } from './world.ts'

/** So many bad requests, one after the other; after each the daemon lives, answers, and is as it was unless it said OK. */
export interface FuzzReport {
  readonly requests: number
  /** How often each status came, by the kind of request without what is in brackets. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly problems: readonly string[]
  /** How often the connection by hand was given up by one of the two sides. */
  readonly reconnects: number
  readonly changes: number
}

/** The first few tell the story. */
const MAX_PROBLEMS = 20
/** Another world now and then, and whenever the present one was taken apart. */
const REQUESTS_PER_WORLD = 500

const UNCHANGED = ['revision', 'compact_revision', 'sets', 'allocated', 'free_pending', 'reserved', 'leases'] as const

export async function fuzz(
  target: Target,
  seed: number,
  requests: number,
  onProgress: (done: number) => void = () => undefined,
): Promise<FuzzReport> {
  const random = createRandom(seed)
  const caller = createCaller(target.address)
  const outcomes = new Map<string, number>()
  const problems: string[] = []
  let changes = 0
  let complaints = 0
  let world: World | undefined
  let before: Message = await target.status()
  let done = 0
  // A compaction that was asked for goes on when whoever asked has gone, and may be seen later.
  let isCompacting = false
  try {
    for (; done < requests && problems.length < MAX_PROBLEMS; done++) {
      if (world === undefined || done % REQUESTS_PER_WORLD === 0) {
        world = await createWorld(target, `vm-${seed}-${done}`)
        before = await target.status()
      }
      const request = badRequest(random, world)
      const outcome = await caller.send(request)
      count(outcomes, request, outcome)
      const after: Message | undefined = await target.status().catch(() => undefined)
      const said = target.complaints()
      const found =
        after === undefined
          ? 'the daemon does not answer'
          : judge(request, outcome, [world.setHandle, world.leaseHandle])
      const isOwn = mayChange(request, outcome)
      isCompacting ||= isOwn && request.method.name === 'Compact'
      const changed = after === undefined ? undefined : changeOf(before, after, isCompacting)
      const problem = found ?? said.at(complaints) ?? (isOwn ? undefined : changed)
      if (problem !== undefined) problems.push(`seed ${seed}, request ${done}, ${story(request, outcome)}: ${problem}`)
      if (!target.isAlive()) break
      complaints = said.length
      if (changed) changes += 1
      if (changed && /^(DeleteSet|ForceDeleteSet|RevokeLease|ForceRevokeLease|FreeAll)$/.test(request.method.name))
        world = undefined
      before = after ?? before
      if (done % 1000 === 999) onProgress(done + 1)
    }
  } finally {
    caller.close()
  }
  return { requests: done, outcomes, problems, reconnects: caller.reconnects, changes }
}

function changeOf(before: Message, after: Message, isCompacting: boolean): string | undefined {
  const fields = UNCHANGED.filter((field) => !(isCompacting && field === 'compact_revision'))
  const name = fields.find((field) => before[field] !== after[field])
  return name && `it was not answered with OK, but ${name} was ${before[name]} and is ${after[name]}`
}

/** Who was not told may have been too late, and not without effect. */
function mayChange({ isEnded, headers }: BadRequest, outcome: Outcome): boolean {
  // Node ends a request before it cancels it.
  if (outcome.kind === 'silence') return !isEnded
  if (outcome.kind !== 'status') return outcome.kind === 'late'
  return outcome.code === status.OK || (outcome.code === status.DEADLINE_EXCEEDED && 'grpc-timeout' in headers)
}

function count(outcomes: Map<string, number>, request: BadRequest, outcome: Outcome): void {
  const how = outcome.kind === 'status' ? (status[outcome.code] ?? outcome.code) : nameOf(outcome)
  const name = `${request.kind.replace(/ \(.*/, '')}: ${how}`
  outcomes.set(name, (outcomes.get(name) ?? 0) + 1)
}

function nameOf(outcome: Exclude<Outcome, { kind: 'status' }>): string {
  return 'code' in outcome ? `${outcome.kind} ${outcome.code}` : outcome.kind
}

const MAX_HEX = 200

function story({ kind, method, path, headers, body, message }: BadRequest, outcome: Outcome): string {
  const hex = (message ?? body ?? Buffer.alloc(0)).toString('hex')
  const sent = hex.length > MAX_HEX ? `${hex.slice(0, MAX_HEX)}… (${hex.length / 2} bytes)` : hex
  const where = path === method.path ? method.path : `${method.path} as ${path.slice(0, 100)}`
  const with_ = JSON.stringify(headers).slice(0, 300)
  const how = message === undefined ? `by hand with ${with_}` : 'by grpc-js'
  return `${kind} to ${where} ${how}, ${sent}, answered ${JSON.stringify(outcome).slice(0, 200)}`
}
