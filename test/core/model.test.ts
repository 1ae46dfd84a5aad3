import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isFailure } from '../../server/core/failure.ts'
import { violations } from '../../server/core/invariants.ts'
import { ripen } from '../../server/core/rest.ts'
import { type FrozenState, freeze, type SpaceConfig, type State } from '../../server/core/state.ts'
import { canonical, contentOf, type Running, restore, start, submit, thaw } from '../support/space.ts'
import { rebuilt, same, sameState } from './copies.ts'
import { allIds, contradicts, createModel, type Model } from './model.ts'
import { happenings, inOrderOfIds, showAnswer } from './model-happenings.ts'
import { ask } from './model-sets.ts'
import { observeCore, observeModel, type Probe } from './model-view.ts'
import { partOf } from './part-of-runs.ts'
import { type Action, commandOf, configs, type Step, stories, TOKENS } from './story.ts'
import { EVERYTHING, HOLDERS, TWO_HOLDERS } from './story-weights.ts'

interface Story {
  readonly core: Running
  readonly model: Model
  readonly views: { readonly frozen: FrozenState; readonly content: object }[]
}

/** Ten times what it takes, for a machine that is busy with other things. */
const PATIENCE_MS = 100_000

describe('the core and a naive model of the contract', () => {
  it(
    'agree on every outcome and on all that can be seen, in small spaces that run out and reuse ids',
    () => {
      const capacities = [4, 64] as const
      const story = stories(capacities, 5, 80, EVERYTHING)
      fc.assert(
        fc.property(configs(capacities), story, (config, drawn) => tell(config, drawn, everything)),
        { numRuns: partOf(40) },
      )
    },
    PATIENCE_MS,
  )

  it(
    'agree where ids are bound and unbound under holders that come, go and come back',
    () => {
      const capacities = [4, 24] as const
      const story = stories(capacities, 3, 100, HOLDERS, TWO_HOLDERS)
      fc.assert(
        fc.property(configs(capacities), story, (config, drawn) => tell(config, drawn, everything)),
        { numRuns: partOf(60) },
      )
    },
    PATIENCE_MS,
  )

  it(
    'agree in spaces of several pages',
    () => {
      const capacities = [4_200, 9_000] as const
      const story = stories(capacities, 2_000, 20, EVERYTHING)
      fc.assert(
        fc.property(configs(capacities), story, (config, drawn) => tell(config, drawn, samples)),
        { numRuns: partOf(10) },
      )
    },
    PATIENCE_MS,
  )
})

function tell(config: SpaceConfig, drawn: readonly Step[], probe: (model: Model, index: number) => Probe): void {
  const story: Story = { core: start(config), model: createModel(config), views: [] }
  for (const [index, step] of drawn.entries()) {
    if (step.do === 'wait') {
      story.model.nowMs += step.ms
      story.core.nowMs += step.ms
      ripen(story.core.state, story.core.nowMs)
    } else if (step.do === 'freeze') {
      const frozen = freeze(story.core.state)
      story.views.push({ frozen, content: contentOf(frozen) })
    } else if (step.do === 'restart') restart(story, step)
    else act(story, step, index % 4 === 0)
    same(observeCore(story.core.state, probe(story.model, index)), observeModel(story.model, probe(story.model, index)))
    same(violations(story.core.state), [])
    // To compare whole states costs most of all: now and then will do.
    if (index % 16 === 9) sameState(rebuilt(story.core.state), story.core.state)
  }
  for (const { frozen, content } of story.views) same(contentOf(frozen), content)
  // The first one and the last one: each costs a replay.
  for (const view of new Set([undefined, story.views[0], story.views.at(-1)])) {
    sameState(replayed(story, view?.frozen), story.core.state)
  }
}

function act({ core, model }: Story, step: Action, isWatched: boolean): void {
  const command = commandOf(step, model)
  const before = isWatched ? canonical(core.state) : undefined
  const decision = submit(core, command)
  const expected = ask(model, command)
  if (isFailure(decision)) {
    same({ refused: decision.reason, facts: decision.metadata }, expected)
    if (before !== undefined) same(canonical(core.state), before)
    return
  }
  if ('refused' in expected) return same(decision, expected)
  same(showAnswer(decision.answer), expected.answer)
  same(inOrderOfIds(happenings(decision.events)), inOrderOfIds(expected.happened))
}

/** The state that a start makes of the newest thing on disk; a configuration that cannot be is refused in a sentence. */
function restart({ core, model, views }: Story, { from, config }: Extract<Step, { do: 'restart' }>): void {
  const base = from === 'log' ? undefined : views.at(-1)?.frozen
  const state = restore(base === undefined ? undefined : thaw(base), core.log, config)
  if ('contradiction' in state) {
    same(contradicts(model, config), true)
    expect(state.contradiction).toMatch(
      /^(IOASID \d+ is (reserved|beyond the capacity of \d+), but set \d+ has it|sets have reserved or taken \d+ ids, but only \d+ may be handed out)$/,
    )
    return
  }
  same(contradicts(model, config), false)
  ripen(state, core.nowMs)
  core.state = state
  model.config = config
}

/** From a snapshot or from nothing, entry by entry under the present configuration, as a follower goes on. */
function replayed({ core }: Story, frozen: FrozenState | undefined): State {
  const state = restore(frozen === undefined ? undefined : thaw(frozen), core.log, core.state.config)
  if ('contradiction' in state) throw new Error(state.contradiction)
  ripen(state, core.state.servingMs)
  return state
}

function everything(model: Model, index: number): Probe {
  const { capacity } = model.config
  const setIds = [...model.sets.map((set) => set.setId), model.lastSetId + 1, 0]
  return {
    ids: [...Array(capacity + 2).keys(), 4_294_967_295],
    spids: [0, 1, 2, 3, 5, 8],
    setIds,
    leaseIds: [...Array(model.lastLeaseId + 2).keys()],
    presented: setIds[index % setIds.length] ?? 0,
    tokens: TOKENS,
    prefix: ['', 'vm-a', 'vm-', 'x'][index % 4] ?? '',
    pageSize: (index % 5) + 1,
    after: { generation: (index * 5) % (model.revision + 1), ioasid: (index * 7) % capacity },
  }
}

function samples(model: Model, index: number): Probe {
  const ids = allIds(model).map(({ id }) => id.ioasid)
  const some = [0, ids.length >> 1, ids.length - 1].map((place) => ids[place] ?? 1)
  return {
    ...everything(model, index),
    ids: [0, 1, 4095, 4096, 4097, model.config.capacity, ...some.flatMap((id) => [id - 1, id, id + 1])].filter(
      (id) => id >= 0,
    ),
    pageSize: 1000,
  }
}
