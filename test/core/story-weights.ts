import type { Step, Weights } from './story.ts'

/** A little of everything. */
export const EVERYTHING: Weights = {
  create: 3,
  adjust: 1,
  delete: 2,
  allocate: 9,
  free: 5,
  free_all: 1,
  attach: 6,
  detach: 3,
  attach_data: 2,
  detach_data: 1,
  grant: 3,
  revive: 1,
  revoke: 1,
  expire: 3,
  acquire: 14,
  acquire_by_spid: 3,
  release: 7,
  register: 5,
  end_registration: 1,
  acknowledge: 8,
  wait: 3,
  freeze: 3,
  restart: 1,
}

const hold = { do: 'register', lease: 0, sets: [], priority: 'CPU' } as const

/** Two holders of what a story begins with, one of them with HOLD. */
export const TWO_HOLDERS: readonly Step[] = [
  { ...hold, of: 'names', tokens: ['vm-a'] },
  { do: 'grant', terms: { name: 'iommu', ttlMs: 500, onExpiry: 'HOLD' } },
  { ...hold, of: 'all', tokens: [], priority: 'IOMMU' },
]

/** Few sets and few ids, bound and unbound over and over, while their holders come, go, and come back. */
export const HOLDERS: Weights = {
  create: 1,
  adjust: 0,
  delete: 1,
  allocate: 4,
  free: 2,
  free_all: 0,
  attach: 20,
  detach: 20,
  attach_data: 0,
  detach_data: 0,
  grant: 3,
  revive: 5,
  revoke: 1,
  expire: 3,
  acquire: 2,
  acquire_by_spid: 1,
  release: 2,
  register: 8,
  end_registration: 2,
  acknowledge: 12,
  wait: 2,
  freeze: 2,
  restart: 1,
}
