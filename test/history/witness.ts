import type { Happening } from '../core/model.ts'
import { inOrderOfIds } from '../core/model-happenings.ts'
import { textOf } from './shapes.ts'

/**
 * By revision: what the daemon's own log says that it changed, in the model's words. Notifications do not tell all of it,
 * and after a kill many leases may end at once, in any order; so that no order has to be guessed, it names the one that is
 * checked. It is believed in nothing else: what it says must have a cause in the model, and answers, reads and streams
 * must be right in that order like in any other.
 */
export type Witness = readonly (readonly Happening[])[]

/** Whether a revision may have changed this. Where there is no witness, anything may have happened. */
export function agrees(witness: Witness | undefined, revision: number, happened: readonly Happening[]): boolean {
  return witness === undefined || orderless(witness[revision] ?? []) === orderless(happened)
}

const orderless = (happened: readonly Happening[]): string => textOf(inOrderOfIds(happened))
