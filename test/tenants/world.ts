import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startDaemon, type TestDaemon, tempDir } from '../support/daemon.ts'
import { forged } from '../support/forged-certificates.ts'
import { tenants, tenantsCa, tenantsKey } from '../support/tenant-certificates.ts'
import { ask, connectTo, type Peer, type Security } from './peer.ts'
import { makeOwn, makeVictims, type Own, type Victims } from './victims.ts'

/** A daemon with two tenants, a hypervisor that serves both, an operator, and everybody who would pass for one of them. */

const POLICY = `version: 1
grants:
  - { to: 'spiffe://example.org/vm-a', own: [vm-a, vm-a/*] }
  - { to: 'spiffe://example.org/vm-b', own: [vm-b, vm-b/*] }
  - to: spiffe://example.org/vmm
    subscribe: [vm-a, vm-a/*, vm-b, vm-b/*]
    acquire: [vm-a, vm-a/*, vm-b, vm-b/*]
  - { to: 'spiffe://example.org/operator', administer: true }
`

const CERTIFICATES = { ...tenants, ...forged, none: null, plain: 'insecure' } satisfies Record<string, Security>

/** Who sends something: with the certificate of this name, or by another way. */
export type Who = Exclude<keyof typeof CERTIFICATES, 'server' | 'renewed'> | 'unix' | 'operatorElsewhere'

export interface World {
  readonly daemon: TestDaemon
  /** Where the daemon reads its policy and its certificates. */
  readonly at: (file: string) => string
  /** The tenant `a` is the attacker, and `b` his victim. */
  readonly peer: (who: Who) => Peer
  readonly victims: Victims
  readonly own: Own
  close(): void
}

/** Its files in a directory, and the flags that name them. */
export function tenantFiles() {
  const directory = tempDir()
  const at = (file: string) => join(directory, file)
  const files = { 'server.crt': tenants.server, 'server.key': tenantsKey, 'ca.crt': tenantsCa, policy: POLICY }
  for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text, { mode: 0o600 })
  const tls = ['--cert-file', at('server.crt'), '--key-file', at('server.key'), '--trusted-ca-file', at('ca.crt')]
  return { at, flags: [...tls, '--client-cert-auth', '--policy-file', at('policy')] }
}

export async function startWorld(): Promise<World> {
  const { at, flags } = tenantFiles()
  const elsewhere = '[::1]:0'
  const daemon = await startDaemon({
    listen: ['127.0.0.1:0', elsewhere, `unix://${tempDir()}/x.sock`],
    args: [
      ...flags,
      '--no-admin',
      elsewhere,
      '--log-level',
      'debug',
      '--log-format',
      'json',
      '--lease-grace',
      '60s',
      '--metrics-listen',
      '127.0.0.1:0',
    ],
  })
  const [main = '', noAdmin = '', unix = ''] = daemon.addresses
  const peers = new Map<Who, Peer>()
  const open = (who: Who): Peer => {
    if (who === 'unix') return connectTo(unix, 'insecure')
    if (who === 'operatorElsewhere') return connectTo(noAdmin, tenants.operator)
    return connectTo(main, CERTIFICATES[who])
  }
  const peer = (who: Who) => {
    const known = peers.get(who) ?? open(who)
    peers.set(who, known)
    return known
  }
  const victims = await makeVictims(peer('b'), peer('vmm'))
  const own = await makeOwn(peer('a'))
  return {
    daemon,
    at,
    peer,
    victims,
    own,
    close: () => {
      for (const known of peers.values()) known.close()
    },
  }
}

/** Of what the victim has, each in the state that an operator, the hypervisor and he himself are shown. Time alone goes on. */
export async function lookAround({ peer, victims }: World): Promise<Record<string, unknown>> {
  const [b, vmm, operator] = [peer('b'), peer('vmm'), peer('operator')]
  const shown: Record<string, unknown> = {}
  for (const { token, set_handle } of victims.sets) {
    shown[`set ${token}`] = await ask(b, 'GetSet', { set_handle })
    shown[`ids of ${token}`] = await ask(b, 'ListIoasids', { set_handle })
  }
  for (const ioasid of victims.ioasids) {
    shown[`id ${ioasid}`] = await ask(operator, 'GetIoasid', { ioasid })
    shown[`history of ${ioasid}`] = await ask(operator, 'GetHistory', { ioasid })
  }
  shown['sets'] = await ask(operator, 'ListSets', { token_prefix: 'vm-b' })
  for (const [holder, { lease_handle }] of [
    [b, victims.lease],
    [vmm, victims.hypervisor],
  ] as const) {
    const { lease } = await ask(holder, 'GetLease', { lease_handle })
    shown[`lease ${lease.lease_id}`] = { ...lease, remaining_ms: 'goes on' }
  }
  const { leases } = await ask(operator, 'ListLeases', {})
  const others = leases.filter(({ owner }) => owner !== 'spiffe://example.org/vm-a')
  shown['leases'] = others.map((lease) => ({ ...lease, remaining_ms: 'goes on' }))
  return shown
}
