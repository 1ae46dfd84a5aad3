import type { Happening, Model, ModelLease } from '../core/model.ts'
import { ask } from '../core/model-sets.ts'
import { answersSame, type Cause, changesNothing, commandOf, freshModel, type Order } from './cause.ts'
import { copyOf } from './copy.ts'
import type { Change, History } from './history.ts'
import { type Known, knownOf } from './known.ts'
import { look, type Observed, observedIn } from './observations.ts'
import { textOf } from './shapes.ts'
import { alwaysChanges } from './times.ts'
import { inOrderOfIds, type Owners, toldByModel } from './told.ts'
import type { Violation } from './violation.ts'
import { why } from './why.ts'
import { agrees } from './witness.ts'

/** One way to explain what happened so far. */
interface Story {
  readonly model: Model
  readonly owners: Owners
  readonly used: ReadonlySet<Change>
  readonly last: Link | undefined
  /** Reads and refusals that no state so far explains, and those that none can any more. */
  readonly open: readonly Observed[]
  readonly missed: readonly Observed[]
}

/** A list that stories with the same beginning share. */
interface Link {
  readonly cause: Cause
  readonly happened: readonly Happening[]
  readonly before: Link | undefined
}

/** So many explanations are followed at once; where there are more, the right one may be among those that are given up. */
const MAX_STORIES = 64

export type Explained =
  | { readonly order: Order; readonly missed: readonly Observed[] }
  | { readonly violation: Violation }

/**
 * Finds what made each revision. The answers say most of it; a revision that no answer has was made by a request whose
 * outcome nobody knows, or by the end of a lease: whichever tells what the log tells, and changes what the witness says.
 * Where several would, all are followed, and of their states those count that explain the most reads and refusals.
 */
export function explain(history: History): Explained {
  const known = knownOf(history)
  const observed = observedIn(history, known.times)
  let begun = 0
  const begin = (revision: number): readonly Observed[] => {
    const first = begun
    while ((observed[begun]?.from ?? Infinity) <= revision) begun += 1
    return observed.slice(first, begun)
  }
  const nothing = { owners: new Map(), used: new Set<Change>(), last: undefined, open: [], missed: [] }
  let best: Story = see({ model: freshModel(history), ...nothing }, begin(0))
  let others: readonly Story[] = []
  let givenUp = 0
  for (let revision = 1; revision <= history.revision; revision++) {
    const found = [best, ...others].flatMap((story) => goOn(story, revision, known))
    const opened = begin(revision)
    const seen = found.map((story) => see(story, opened))
    const fewest = Math.min(...seen.map(({ missed }) => missed.length))
    const all = different(seen.filter(({ missed }) => missed.length === fewest))
    const [likeliest, ...rest] = all.slice(0, MAX_STORIES)
    if (likeliest === undefined) return { violation: wrongAt(best, revision, known, givenUp) }
    givenUp += Math.max(0, all.length - MAX_STORIES)
    best = likeliest
    others = rest
  }
  return { order: orderOf(best.last), missed: [...best.missed, ...best.open, ...observed.slice(begun)] }
}

function wrongAt({ model, missed }: Story, revision: number, known: Known, givenUp: number): Violation {
  const { rule, what } = why(model, revision, known)
  const made = known.witness && `; the daemon's log says ${JSON.stringify(known.witness[revision])}`
  const leftOut = missed.map(({ operation }) => operation.id).join(', ')
  const doubt = givenUp > 0 ? `, and ${givenUp} others were given up, so that this is not certain` : ''
  return { rule, what: `${what}${made ?? ''}; the first explanation up to there leaves out [${leftOut}]${doubt}` }
}

/** Of stories that have come to the same, the first. */
function different(stories: readonly Story[]): readonly Story[] {
  if (stories.length < 2) return stories
  const idsOf = (all: Iterable<Change>) => Array.from(all, ({ id }) => id).sort()
  const byText = new Map<string, Story>()
  for (const story of stories) {
    const { model, used, open } = story
    const { config: _, ...state } = model
    const text = textOf([state, idsOf(used), open.map(({ operation }) => operation.id)])
    if (!byText.has(text)) byText.set(text, story)
  }
  return [...byText.values()]
}

function see(story: Story, opened: readonly Observed[]): Story {
  const both = [...story.open, ...opened].sort((a, b) => a.sentMs - b.sentMs)
  const { open, missed } = look(story.model, both)
  return { ...story, open, missed: missed.length === 0 ? story.missed : [...story.missed, ...missed] }
}

/** All ways in which the story can go on with this revision. */
function goOn(story: Story, revision: number, known: Known): readonly Story[] {
  const { times, dueMs, logged, witness } = known
  const claims = known.claims.get(revision) ?? []
  const isRight = ({ last }: Story) => agrees(witness, revision, last?.happened ?? [])
  const claimed = claims.flatMap((claim) => claimedBy(story, claim, claims, times.notAfter(revision))).filter(isRight)
  if (claims.some(({ ask: { command } }) => alwaysChanges(command))) return claimed
  // Whoever was told of it may have found it made, too.
  const fits = (other: Story) => isRight(other) && claims.every((each) => changesNothing(other.model, each))
  const isOpen = ({ change, floor }: Known['unknown'][number]) =>
    !story.used.has(change) && floor < revision && times.notBefore(revision) <= change.deadMs
  const open = [...known.unknown.filter(isOpen).map(({ change }) => change), ...known.registrations]
  const asked = open.map((change) => ({ kind: 'asked', change }) as const)
  const leases = story.model.leases.filter(({ isHeld }) => !isHeld)
  const isDue = (lease: ModelLease) => times.notAfter(revision) >= dueMs(lease, revision)
  const ends = leases.filter(isDue).map(({ leaseId }) => ({ kind: 'expired', leaseId }) as const)
  const events = logged.get(revision) ?? []
  const found = [...claimed, ...unclaimed(story, [...ends, ...asked], events).filter(fits)]
  if (found.length > 0) return found
  // One that ended early explains it too, and then that is what is wrong.
  const early = leases.map(({ leaseId }) => ({ kind: 'expired', leaseId }) as const)
  return unclaimed(story, early, events).filter(fits)
}

/** The story goes on with a request that was answered with this revision, if the others that were changed nothing by it. */
function claimedBy(story: Story, claim: Change, claims: readonly Change[], madeMs: number): readonly Story[] {
  // It was told of what another one had made.
  if (claim.invokedMs > madeMs && !alwaysChanges(claim.ask.command)) return []
  const model = copyOf(story.model)
  const outcome = ask(model, claim.ask.command)
  if ('refused' in outcome || outcome.happened.length === 0 || !answersSame(outcome, claim)) return []
  if (!claims.every((other) => other === claim || changesNothing(model, other))) return []
  return [next(story, model, { kind: 'asked', change: claim }, outcome.happened)]
}

/** The ways in which it goes on with one of these causes and tells what was told. */
function unclaimed(story: Story, causes: readonly Cause[], events: readonly string[]): readonly Story[] {
  const wanted = inOrderOfIds(events).join('\n')
  let model = copyOf(story.model)
  return causes.flatMap((cause) => {
    const outcome = ask(model, commandOf(cause))
    // What is refused, or has nothing to change, leaves it as it was.
    if ('refused' in outcome || outcome.happened.length === 0) return []
    const found = next(story, model, cause, outcome.happened)
    const told = toldByModel(model, new Map(story.owners), outcome.happened)
    model = copyOf(story.model)
    return inOrderOfIds(told).join('\n') === wanted ? [found] : []
  })
}

function next(story: Story, model: Model, cause: Cause, happened: readonly Happening[]): Story {
  const owners = new Map(story.owners)
  toldByModel(model, owners, happened)
  const isUnknown = cause.kind === 'asked' && cause.change.outcome.kind === 'unknown'
  const used = isUnknown ? new Set([...story.used, cause.change]) : story.used
  return { ...story, model, owners, used, last: { cause, happened, before: story.last } }
}

function orderOf(last: Link | undefined): Order {
  const causes: (Cause | undefined)[] = []
  for (let link = last; link !== undefined; link = link.before) causes.push(link.cause)
  return [...causes, undefined].reverse()
}
