/** What the scenes of the life cycle have in common. */
import type { Cast } from './cast.ts'
import type { Actor } from './stage.ts'

interface Vm {
  readonly vmm: Actor
  readonly kvm: Actor
  readonly iommuDriver: Actor
}

/** The host PASID that a line names. */
export function pasidIn(line: string): number {
  return Number(/host PASID (\d+)/.exec(line)?.[1])
}

/** The VMM allocates a host PASID, and the IOMMU driver binds guest PASID 101 to it. */
export async function bindPasid({ stage, events, ask }: Cast, { vmm, kvm, iommuDriver }: Vm): Promise<number> {
  stage.step('The guest binds PASID 101.')
  vmm.tell('allocate')
  const ioasid = pasidIn(await vmm.says('allocated'))
  await events.says('ALLOC')
  iommuDriver.tell(`bind 101 ${ioasid}`)
  await Promise.all([iommuDriver.says('bound', 'BIND'), events.says('BIND'), kvm.says('BIND')])
  await ask(ioasid)
  return ioasid
}

/** The VMM frees an id that is bound; KVM is told. */
export async function freeBound(
  { events, ask }: Cast,
  { vmm, kvm }: Pick<Vm, 'vmm' | 'kvm'>,
  ioasid: number,
): Promise<void> {
  vmm.tell(`free ${ioasid}`)
  await Promise.all([vmm.says('freed'), events.says('FREE'), kvm.says('UNBIND')])
  await ask(ioasid)
}

/** KVM, which has been told, and then the IOMMU driver acknowledge, and the id is reclaimed. */
export async function tearDown(
  cast: Cast,
  { kvm, iommuDriver }: Pick<Vm, 'kvm' | 'iommuDriver'>,
  ioasid: number,
): Promise<void> {
  const { stage, ask } = cast
  stage.step('KVM acknowledges; now the IOMMU driver is told.')
  kvm.tell('all vCPUs have left')
  await iommuDriver.says('UNBIND')
  await ask(ioasid)
  await reclaim(cast, iommuDriver, ioasid)
}

/** The IOMMU driver, which has been told, acknowledges as the last one. */
export async function reclaim({ stage, events, ask }: Cast, iommuDriver: Actor, ioasid: number): Promise<void> {
  stage.step('The IOMMU driver acknowledges. Nobody has it any more: it is reclaimed.')
  iommuDriver.tell('invalidation complete')
  await events.says('RECLAIM')
  await ask(ioasid)
}
