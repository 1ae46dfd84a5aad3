/** The second half of the life cycle: the owner, a device model, a consumer and the daemon are killed with -9. */
import { type Cast, SHORT_TTL_MS } from './cast.ts'
import { bindPasid, freeBound, reclaim, tearDown } from './moves.ts'
import type { Actor } from './stage.ts'

interface Survivors {
  readonly iommuDriver: Actor
  readonly kvm: Actor
  readonly daemon: Actor
  readonly startDaemon: () => Promise<Actor>
}

export async function tellDeaths(cast: Cast, survivors: Survivors): Promise<void> {
  const { iommuDriver, daemon, startDaemon } = survivors
  await tellDeathOfVmm(cast, survivors)
  const vmm = await tellDeathOfKvm(cast, iommuDriver)
  await tellDeathOfDaemon(cast, { vmm, iommuDriver, daemon, startDaemon })
}

async function tellDeathOfVmm(cast: Cast, { iommuDriver, kvm }: Pick<Survivors, 'iommuDriver' | 'kvm'>): Promise<void> {
  const { stage, events, ask, askWhen, askForSet } = cast
  stage.scene('ALLOC, BIND, DMA, FREE: the owner dies')
  stage.step(`The VM starts again. The leases of its VMM and its device model are short: ${SHORT_TTL_MS} ms.`)
  const [vmm, deviceModel] = await Promise.all([cast.startVmm(SHORT_TTL_MS), cast.startDeviceModel(SHORT_TTL_MS)])
  const ioasid = await bindPasid(cast, { vmm, iommuDriver, kvm })
  deviceModel.tell('program 101')
  await deviceModel.says('the queue has')
  await ask(ioasid)

  stage.step('kill -9 of the VMM, in the middle of the DMA. Its lease ends, and its set is deleted with force.')
  await vmm.kill()
  await Promise.all([events.says('FREE'), kvm.says('UNBIND')])
  await ask(ioasid)
  await askForSet()

  stage.step('KVM acknowledges; now the IOMMU driver is told.')
  kvm.tell('all vCPUs have left')
  await iommuDriver.says('UNBIND')
  await ask(ioasid)

  stage.step('The IOMMU driver acknowledges. The device model has not heard of it, and its queue still has the id.')
  iommuDriver.tell('invalidation complete')
  await askWhen(ioasid, 1)
  await askForSet()

  stage.step('kill -9 of the device model. Its lease ends: the last reference is gone, and the set with it.')
  await deviceModel.kill()
  await events.says('SET_FREE')
  await ask(ioasid)
  await askForSet()
  await kvm.leave()
}

async function tellDeathOfKvm(cast: Cast, iommuDriver: Actor): Promise<Actor> {
  const { stage, ask } = cast
  stage.scene('A consumer dies before it has acknowledged')
  stage.step(`The token may be used again: the VM starts once more. Now the lease of KVM is short: ${SHORT_TTL_MS} ms.`)
  const [vmm, kvm] = await Promise.all([cast.startVmm(), cast.startKvm(SHORT_TTL_MS)])
  const ioasid = await bindPasid(cast, { vmm, iommuDriver, kvm })

  stage.step('The VMM frees it, KVM is told, and is killed with -9. The id waits for the end of its lease.')
  await freeBound(cast, { vmm, kvm }, ioasid)
  await kvm.kill()
  await ask(ioasid)

  stage.step('The lease ends. Now the IOMMU driver is told.')
  await iommuDriver.says('UNBIND')
  await ask(ioasid)
  await reclaim(cast, iommuDriver, ioasid)
  return vmm
}

async function tellDeathOfDaemon(
  cast: Cast,
  { vmm, iommuDriver, daemon, startDaemon }: Omit<Survivors, 'kvm'> & { readonly vmm: Actor },
): Promise<void> {
  const { stage, events, ask, askForSet } = cast
  stage.scene('The daemon dies in the middle of a teardown')
  stage.step('KVM comes back, with another lease.')
  const kvm = await cast.startKvm()
  const ioasid = await bindPasid(cast, { vmm, iommuDriver, kvm })

  stage.step('The VMM frees it, and KVM is told.')
  await freeBound(cast, { vmm, kvm }, ioasid)

  stage.step('kill -9 of the daemon. Started again on its data, it knows who is awaited and who has not been told yet.')
  await daemon.kill()
  await startDaemon()
  await ask(ioasid)
  await tearDown(cast, { iommuDriver, kvm }, ioasid)

  stage.step('The guest stops, and its VM ends.')
  await Promise.all([vmm.leave(), events.says('SET_FREE'), kvm.leave()])
  await askForSet()
}
