import type { Model, ModelId } from '../core/model.ts'

/** A change of one is none of the other. */
export function copyOf(model: Model): Model {
  const idsOf = (ids: readonly ModelId[]) =>
    ids.map((id) => ({
      ...id,
      devices: [...id.devices],
      references: id.references.map((each) => ({ ...each })),
      holds: id.holds.map((each) => ({ ...each })),
    }))
  return {
    ...model,
    sets: model.sets.map((set) => ({ ...set, ids: idsOf(set.ids) })),
    leases: model.leases.map((lease) => ({ ...lease })),
    reclaimed: [...model.reclaimed],
  }
}
