import type { Command } from '../../server/core/command.ts'
import { asLeaseId } from '../../server/core/ids.ts'
import { createModel, type Happening, type Model, type ModelLease, type ModelOutcome } from '../core/model.ts'
import { ask } from '../core/model-sets.ts'
import { CONFIG } from '../support/space.ts'
import { copyOf } from './copy.ts'
import type { Change, History } from './history.ts'
import { isChange } from './history.ts'
import { look, type Observed, observedIn } from './observations.ts'
import { type Due, dueFrom } from './renewals.ts'
import { answerShape, textOf } from './shapes.ts'
import { alwaysChanges, askedByAnswers, type Times, timesOf } from './times.ts'
import { inOrderOfIds, type Owners, toldByModel } from './told.ts'
import type { Violation } from './violation.ts'

/** What made a revision: a request, or the end of a lease that nobody asked for. */
export type Cause =
  | { readonly kind: 'asked'; readonly change: Change }
  | { readonly kind: 'expired'; readonly leaseId: number }

/** By revision; 0 is empty. */
export type Order = readonly (Cause | undefined)[]

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
  readonly before: Link | undefined
}

/** So many explanations are followed at once; where there are more, those of the likeliest causes. */
const MAX_STORIES = 64

export type Explained =
  | { readonly order: Order; readonly missed: readonly Observed[] }
  | { readonly violation: Violation }

export const freshModel = ({ capacity }: History): Model =>
  createModel({ ...CONFIG, capacity, maxPrivateData: 64 << 20, maxReferences: 4_194_304 })

export const commandOf = (cause: Cause): Command =>
  cause.kind === 'asked' ? cause.change.ask.command : { kind: 'expire_lease', leaseId: asLeaseId(cause.leaseId) }

/**
 * Finds what made each revision. The answers say most of it; a revision that no answer has was made by a request whose
 * outcome nobody knows, or by the end of a lease: whichever tells what the log tells. Where several would, all are
 * followed, and of their states those count that explain the most reads and refusals.
 */
export function explain(history: History): Explained {
  const world = worldOf(history)
  const observed = observedIn(history, world.times)
  let begun = 0
  const begin = (revision: number): readonly Observed[] => {
    const first = begun
    while ((observed[begun]?.from ?? Infinity) <= revision) begun += 1
    return observed.slice(first, begun)
  }
  const nothing = { owners: new Map(), used: new Set<Change>(), last: undefined, open: [], missed: [] }
  let stories: readonly Story[] = [see({ model: freshModel(history), ...nothing }, begin(0))]
  for (let revision = 1; revision <= history.revision; revision++) {
    const before = stories
    const found = before.flatMap((story) => goOn(story, revision, world))
    if (found.length === 0) {
      const { rule, what } = why(before[0], revision, world)
      const missed = before[0]?.missed.map(({ operation }) => operation.id).join(', ')
      return {
        violation: {
          rule,
          what: `${what}; of ${before.length} explanations up to there, the first leaves out [${missed}]`,
        },
      }
    }
    const opened = begin(revision)
    const seen = found.map((story) => see(story, opened))
    const fewest = Math.min(...seen.map(({ missed }) => missed.length))
    stories = different(seen.filter(({ missed }) => missed.length === fewest)).slice(0, MAX_STORIES)
  }
  const [best] = stories
  return {
    order: orderOf(best?.last),
    missed: [...(best?.missed ?? []), ...(best?.open ?? []), ...observed.slice(begun)],
  }
}

/** Of stories that have come to the same, the first. */
function different(stories: readonly Story[]): readonly Story[] {
  if (stories.length < 2) return stories
  const idsOf = (all: Iterable<Change>) => Array.from(all, ({ id }) => id).sort()
  const byText = new Map<string, Story>()
  for (const story of stories) {
    const { model, used, open } = story
    const text = textOf([model.sets, model.leases, idsOf(used), open.map(({ operation }) => operation.id)])
    if (!byText.has(text)) byText.set(text, story)
  }
  return [...byText.values()]
}

/** What the clients know of all revisions. */
interface Known {
  readonly times: Times
  readonly dueMs: Due
  readonly claims: ReadonlyMap<number, readonly Change[]>
  readonly unknown: readonly { readonly change: Change; readonly floor: number }[]
  /** A stream that is resumed registers once more, where its lease was HELD meanwhile and lives again. */
  readonly registrations: readonly Change[]
  readonly logged: ReadonlyMap<number, readonly string[]>
}

function worldOf(history: History): Known {
  const changes = history.operations.filter(isChange)
  const times = timesOf(history, askedByAnswers(changes, history.revision))
  const unknown = changes.filter(({ outcome }) => outcome.kind === 'unknown')
  const logged = new Map<number, readonly string[]>()
  for (const { item } of history.log.items) {
    if (item.kind === 'revision' && !logged.has(item.revision)) logged.set(item.revision, item.events)
  }
  return {
    times,
    dueMs: dueFrom(changes),
    claims: byRevision(changes),
    unknown: unknown.map((change) => ({ change, floor: times.toldBefore(change.invokedMs) })),
    registrations: changes.filter(({ ask: { command } }) => command.kind === 'register'),
    logged,
  }
}

function see(story: Story, opened: readonly Observed[]): Story {
  const both = [...story.open, ...opened].sort((a, b) => a.sentMs - b.sentMs)
  const { open, missed } = look(story.model, both)
  return { ...story, open, missed: missed.length === 0 ? story.missed : [...story.missed, ...missed] }
}

/** All ways in which the story can go on with this revision. */
function goOn(
  story: Story,
  revision: number,
  { times, dueMs, claims, unknown, registrations, logged }: Known,
): readonly Story[] {
  const claiming = claims.get(revision) ?? []
  const claimed = claimedBy(story, claiming, times.notAfter(revision))
  if (claimed !== undefined) return [claimed]
  const isOpen = ({ change, floor }: Known['unknown'][number]) =>
    !story.used.has(change) && floor < revision && times.notBefore(revision) <= change.deadMs
  const open = [...unknown.filter(isOpen).map(({ change }) => change), ...registrations]
  const events = logged.get(revision) ?? []
  const ends = story.model.leases.filter(({ isHeld }) => !isHeld)
  const isDue = (lease: ModelLease) => times.notAfter(revision) >= dueMs(lease, revision)
  const fits = ({ model }: Story) => claiming.every((each) => changesNothing(model, each))
  const found = unclaimed(story, ends.filter(isDue), open, events).filter(fits)
  // One that ended early explains it too, and then that is what is wrong.
  return found.length > 0 ? found : unclaimed(story, ends, open, events).filter(fits)
}

function orderOf(last: Link | undefined): Order {
  const causes: (Cause | undefined)[] = []
  for (let link = last; link !== undefined; link = link.before) causes.push(link.cause)
  return [...causes, undefined].reverse()
}

function byRevision(changes: readonly Change[]): Map<number, Change[]> {
  const found = new Map<number, Change[]>()
  const seen = new Set<string>()
  for (const change of changes) {
    const { outcome, ask: asked } = change
    if (outcome.kind !== 'answer' || outcome.revision === undefined) continue
    // The same request told again: checked elsewhere to be told the same.
    if (asked.requestId !== undefined && seen.has(asked.requestId)) continue
    if (asked.requestId !== undefined) seen.add(asked.requestId)
    found.set(outcome.revision, [...(found.get(outcome.revision) ?? []), change])
  }
  return found
}

/** Whether the model answers as the daemon did. */
function answersSame(outcome: ModelOutcome, { outcome: seen }: Change): boolean {
  if ('refused' in outcome || seen.kind !== 'answer') return false
  return textOf(answerShape(outcome.answer)) === textOf(seen.answer)
}

/** The story goes on with the request that was answered with this revision, of those that changed nothing by it none. */
function claimedBy(story: Story, claims: readonly Change[], madeMs: number): Story | undefined {
  for (const change of claims) {
    // It was told of what another one had made.
    if (change.invokedMs > madeMs && !alwaysChanges(change.ask.command)) continue
    const model = copyOf(story.model)
    const outcome = ask(model, change.ask.command)
    if ('refused' in outcome || outcome.happened.length === 0) continue
    if (!answersSame(outcome, change)) continue
    const others = claims.filter((each) => each !== change)
    if (!others.every((other) => changesNothing(model, other))) continue
    return next(story, model, { kind: 'asked', change }, outcome.happened)
  }
  return undefined
}

function changesNothing(model: Model, change: Change): boolean {
  const outcome = ask(copyOf(model), change.ask.command)
  return 'happened' in outcome && outcome.happened.length === 0 && answersSame(outcome, change)
}

function unclaimed(
  story: Story,
  leases: readonly ModelLease[],
  open: readonly Change[],
  events: readonly string[],
): Story[] {
  const causes: Cause[] = [
    ...leases.map(({ leaseId }) => ({ kind: 'expired', leaseId }) as const),
    ...open.map((change) => ({ kind: 'asked', change }) as const),
  ]
  const wanted = inOrderOfIds(events).join('\n')
  return causes.flatMap((cause) => {
    const model = copyOf(story.model)
    const outcome = ask(model, commandOf(cause))
    if ('refused' in outcome || outcome.happened.length === 0) return []
    const found = next(story, model, cause, outcome.happened)
    const told = toldByModel(model, new Map(story.owners), outcome.happened)
    return inOrderOfIds(told).join('\n') === wanted ? [found] : []
  })
}

function next(story: Story, model: Model, cause: Cause, happened: readonly Happening[]): Story {
  const owners = new Map(story.owners)
  toldByModel(model, owners, happened)
  const isUnknown = cause.kind === 'asked' && cause.change.outcome.kind === 'unknown'
  const used = isUnknown ? new Set([...story.used, cause.change]) : story.used
  return { ...story, model, owners, used, last: { cause, before: story.last } }
}

/** Names what is wrong with a revision that nothing explains. */
function why(story: Story | undefined, revision: number, known: Known): Violation {
  const claims = known.claims.get(revision) ?? []
  const told = `which tells [${(known.logged.get(revision) ?? []).join('; ')}]`
  if (story === undefined || claims.length === 0) {
    return { rule: 'unexplained revision', what: `nobody made revision ${revision}, ${told}` }
  }
  const before = story.model
  const maker = claims.find((claim) => {
    const outcome = ask(copyOf(before), claim.ask.command)
    return 'happened' in outcome && outcome.happened.length > 0 && answersSame(outcome, claim)
  })
  const model = copyOf(before)
  if (maker !== undefined) ask(model, maker.ask.command)
  const [wrong] = claims.filter((claim) => claim !== maker && !changesNothing(model, claim))
  if (wrong === undefined) {
    return { rule: 'unexplained revision', what: `nobody of those who were told of it made ${revision}, ${told}` }
  }
  const said = `${wrong.id} ${textOf(wrong.ask.command)} was answered ${textOf(wrong.outcome)}`
  const outcome = ask(model, wrong.ask.command)
  const other = maker === undefined ? '' : `, and ${maker.id} ${textOf(maker.ask.command)} made ${revision}`
  const right = 'refused' in outcome ? `refused: ${outcome.refused}` : textOf(answerShape(outcome.answer))
  return { rule: ruleOf(before, wrong), what: `${said}${other}; right was ${right}` }
}

/** An id that was given though it was not free has a name of its own. */
function ruleOf({ sets }: Model, { outcome }: Change): string {
  const ids = outcome.kind === 'answer' && 'ids' in outcome.answer ? (outcome.answer.ids as number[]) : []
  const taken = sets.flatMap((set) => set.ids.filter(({ ioasid }) => ids.includes(ioasid)))
  if (taken.some(({ isPending }) => isPending)) return 'early reuse'
  return taken.length > 0 ? 'two owners' : 'wrong answer'
}
