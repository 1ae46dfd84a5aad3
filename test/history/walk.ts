import type { Happening, Model } from '../core/model.ts'
import { ask } from '../core/model-sets.ts'
import { type Cause, commandOf, freshModel, type Order } from './cause.ts'
import type { History } from './history.ts'
import { type Owners, toldByModel } from './told.ts'

/** What a revision made, seen when the model has just reached it. */
export interface Step {
  readonly revision: number
  readonly cause: Cause | undefined
  readonly happened: readonly Happening[]
  /** What it tells. */
  readonly told: readonly string[]
}

/** Goes through all states of an order, from the empty one at revision 0 on. `visit` leaves the model as it is. */
export function walk(history: History, order: Order, visit: (model: Model, step: Step) => void): void {
  const model = freshModel(history)
  const owners: Owners = new Map()
  visit(model, { revision: 0, cause: undefined, happened: [], told: [] })
  order.forEach((cause, revision) => {
    if (cause === undefined) return
    const outcome = ask(model, commandOf(cause))
    if ('refused' in outcome || model.revision !== revision)
      throw new Error(`revision ${revision} was explained otherwise`)
    visit(model, { revision, cause, happened: outcome.happened, told: toldByModel(model, owners, outcome.happened) })
  })
}
