/**
 * Two VMs, each with a VMM and a KVM-like consumer. Both guests use PASID 101. In the middle the daemon is killed with -9
 * and started again; nobody else is.
 */
import { connect } from '../../index.ts'
import type { Actor, Stage } from './stage.ts'

const VMS = ['vm-a', 'vm-b']

export async function tellTwoVms(stage: Stage): Promise<void> {
  const { endpoint, step } = stage
  step('The daemon starts, and the consumers wait for VMs that do not exist yet.')
  const daemon = await stage.startDaemon()
  const kvms = VMS.map((vm) => stage.start(`kvm ${vm}`, 'kvm.js', endpoint, vm))
  await say(kvms, 'ready')

  step('Each VMM makes its set. Both guests use PASID 101; each consumer sees its own host PASID.')
  const vmms = VMS.map((vm) => stage.start(`vmm ${vm}`, 'vmm.js', endpoint, vm))
  await say(vmms, 'made set')
  for (const vmm of vmms) vmm.tell('allocate 101')
  await Promise.all([say(vmms, 'bound to guest PASID 101'), say(kvms, 'BIND 101')])

  step('kill -9 of the daemon. The VMMs go on asking, the consumers go on listening.')
  await daemon.kill()
  await say(kvms, 'away')
  for (const vmm of vmms) vmm.tell('allocate 102 103')
  await stage.startDaemon()
  const [hosts] = await Promise.all([say(vmms, 'bound to guest PASID 102'), say(kvms, 'BIND 103')])

  step('Both go on as if nothing had happened.')
  for (const [index, line] of hosts.entries()) vmms[index]?.tell(`free ${/host PASID (\d+)/.exec(line)?.[1]}`)
  await say(kvms, 'UNBIND 102')
  for (const kvm of kvms) kvm.tell('all vCPUs have left')
  await say(vmms, 'freed')
  await compareTables(stage, kvms)

  step('The guests stop, and their VMs end.')
  const leaving = vmms.map((vmm) => vmm.leave())
  await say(kvms, 'UNBIND')
  await Promise.all([...leaving, ...kvms.map((kvm) => kvm.leave())])
}

function say(actors: readonly Actor[], text: string): Promise<string[]> {
  return Promise.all(actors.map((actor) => actor.says(text)))
}

/** What each consumer has heard from the stream, against what the daemon answers when it is asked. */
async function compareTables({ endpoint, voice }: Stage, kvms: readonly Actor[]): Promise<void> {
  const client = connect({ endpoint })
  const example = voice('example')
  for (const [index, token] of VMS.entries()) {
    const rows: string[] = []
    for await (const { spid, ioasid, state } of client.listIoasids({ token })) {
      if (spid !== undefined && state !== 'FREE_PENDING') rows.push(`${spid}→${ioasid}`)
    }
    const truth = `table: ${rows.sort().join(' ')}`
    const told = kvms[index]?.said.at(-1) ?? ''
    if (!told.endsWith(truth)) throw new Error(`${token}: the consumer says "${told}", the daemon "${truth}"`)
    example.say(`${token} is right: ${truth}`)
  }
  await client.close()
}
