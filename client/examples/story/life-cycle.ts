/**
 * The life cycle of a guest PASID, as the document of the kernel's allocator has it, with the references of the host
 * PASID at each step; then its other patterns, and what happens when somebody dies in the middle.
 */
import { type Cast, withCast } from './cast.ts'
import { tellDeaths } from './deaths.ts'
import { bindPasid, freeBound, pasidIn, tearDown } from './moves.ts'
import type { Actor, Stage } from './stage.ts'

export async function tellLifeCycle(stage: Stage): Promise<void> {
  // A start adds little to leases, for who waits for their ends; and nobody in this story is told out of turn.
  const startDaemon = () => stage.startDaemon('--lease-grace', '200ms', '--teardown-timeout', '1m')
  stage.step('The daemon starts.')
  const daemon = await startDaemon()
  await withCast(stage, async (cast) => {
    const vm = await tellSteps(cast)
    await tellAllocFree(cast, vm)
    await tellAllocBindFree(cast, vm)

    stage.step('The guest stops. KVM and the IOMMU driver wait for the next set of this token.')
    await Promise.all([vm.vmm.leave(), vm.deviceModel.leave(), cast.events.says('SET_FREE')])
    await tellDeaths(cast, { ...vm, daemon, startDaemon })
  })
}

interface Vm {
  readonly iommuDriver: Actor
  readonly kvm: Actor
  readonly deviceModel: Actor
  readonly vmm: Actor
}

async function tellSteps(cast: Cast): Promise<Vm> {
  const { stage, events, ask, askWhen, askForSet } = cast
  stage.scene('ALLOC, BIND, DMA, UNBIND, FREE: the life of a guest PASID')
  stage.step('Steps 1, 2. The IOMMU driver, KVM and the device model wait for a VM that does not exist yet.')
  const [iommuDriver, kvm, deviceModel] = await Promise.all([
    cast.startIommuDriver(),
    cast.startKvm(),
    cast.startDeviceModel(),
  ])

  stage.step('Step 3. The VMM makes the set.')
  const vmm = await cast.startVmm()
  await askForSet()

  stage.step('Step 4. It allocates a host PASID.')
  vmm.tell('allocate')
  const ioasid = pasidIn(await vmm.says('allocated'))
  await events.says('ALLOC')
  await ask(ioasid)

  stage.step('Step 5. The IOMMU driver binds guest PASID 101 to it. All who hold for this VM have it from here on.')
  iommuDriver.tell(`bind 101 ${ioasid}`)
  await Promise.all([iommuDriver.says('bound', 'BIND'), events.says('BIND')])
  await ask(ioasid)

  stage.step('Step 6. KVM has heard of it and written its translation table: the guest may submit.')
  await kvm.says('BIND')
  await ask(ioasid)

  stage.step('Step 7. The guest programs the queue of its device. Then it submits work: DMA.')
  deviceModel.tell('program 101')
  await deviceModel.says('the queue has')
  await ask(ioasid)

  stage.step('Step 8. The guest stops its queue.')
  deviceModel.tell('clear')
  await deviceModel.says('released')
  await ask(ioasid)

  stage.step('Step 9. The guest unbinds. Both holders are awaited, but KVM alone is told yet.')
  iommuDriver.tell(`unbind ${ioasid}`)
  await Promise.all([iommuDriver.says('unbound'), events.says('UNBIND'), kvm.says('UNBIND')])
  await ask(ioasid)

  stage.step('Step 10. No vCPU can submit with it any more: KVM acknowledges. Now the IOMMU driver is told.')
  kvm.tell('all vCPUs have left')
  await iommuDriver.says('UNBIND')
  await ask(ioasid)

  stage.step('Step 11. The hardware has forgotten it: the IOMMU driver acknowledges.')
  iommuDriver.tell('invalidation complete')
  await askWhen(ioasid, 0)

  stage.step('Step 12. The VMM frees it.')
  vmm.tell(`free ${ioasid}`)
  await Promise.all([vmm.says('freed'), events.says('RECLAIM')])
  await ask(ioasid)
  return { iommuDriver, kvm, deviceModel, vmm }
}

async function tellAllocFree({ stage, events, ask }: Cast, { vmm }: Vm): Promise<void> {
  stage.scene('ALLOC, FREE: nobody ever used it')
  stage.step('What was never bound nobody holds: it is reclaimed in the revision in which it is freed.')
  vmm.tell('allocate')
  const ioasid = pasidIn(await vmm.says('allocated'))
  await ask(ioasid)
  vmm.tell(`free ${ioasid}`)
  await Promise.all([vmm.says('freed'), events.says('RECLAIM')])
  await ask(ioasid)
}

async function tellAllocBindFree(cast: Cast, vm: Vm): Promise<void> {
  const { stage } = cast
  stage.scene('ALLOC, BIND, FREE: an owner that does not unbind')
  const ioasid = await bindPasid(cast, vm)

  stage.step('The VMM frees it while it is bound. That always succeeds; but the id waits for who has it in hardware.')
  await freeBound(cast, vm, ioasid)
  await tearDown(cast, vm, ioasid)
}
