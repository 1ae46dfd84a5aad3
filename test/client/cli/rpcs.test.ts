import { expect, it } from 'vitest'
import { packageDefinition } from '../../../proto/load.ts'
import { settle } from '../manual-clock.ts'
import { ioasidctl } from './fake-io.ts'
import { answer, LEASE_HANDLE, SET_HANDLE, toldBy } from './golden-daemon.ts'

/** By RPC, a command that asks it. */
const asking: Readonly<Record<string, string>> = {
  CreateSet: 'set create vm-a',
  GetSet: 'set get',
  ListSets: 'set list',
  AdjustQuota: 'set adjust --quota 1',
  DeleteSet: 'set delete',
  ForceDeleteSet: 'set delete --set-id 5 --force',
  Allocate: 'alloc',
  Free: 'free 7',
  FreeAll: 'free --all',
  GetIoasid: 'get 7',
  FindBySpid: 'get --spid 101',
  ListIoasids: 'list',
  AttachSpid: 'attach 7 --spid 101',
  DetachSpid: 'detach 7',
  AttachData: 'data attach 7 --hex 01',
  DetachData: 'data detach 7',
  Acquire: 'acquire 7',
  Release: 'release 7',
  GrantLease: 'lease grant --ttl 1s',
  KeepLeaseAlive: 'lease keep-alive',
  GetLease: 'lease get',
  ListLeases: 'lease list',
  RevokeLease: 'lease revoke',
  ForceRevokeLease: 'lease revoke --lease-id 12',
  Subscribe: 'watch --count 4',
  Acknowledge: 'watch --hold --after-revision 90100 --count 4',
  GetHistory: 'history 7',
  Compact: 'compact 7',
  GetStatus: 'status',
  Backup: 'backup save host.backup',
}

const without: Readonly<Record<string, string>> = {
  Batch: 'The SDK makes it of concurrent calls.',
}

it('every RPC is one that a command asks', () => {
  const rpcs = Object.entries(packageDefinition).flatMap(([name, definition]) =>
    name.startsWith('ioasid.v1.') && !('format' in definition) ? Object.keys(definition) : [],
  )
  expect(rpcs.length).toBeGreaterThan(20)
  expect([...Object.keys(asking), ...Object.keys(without)].sort()).toEqual(rpcs.sort())
})

it.each(Object.entries(asking))('%s is asked by: %s', async (rpc, line) => {
  const env = { IOASIDCTL_SET_HANDLE: SET_HANDLE, IOASIDCTL_LEASE_HANDLE: LEASE_HANDLE }
  const cli = ioasidctl({ env, answer })
  const code = cli.run(...line.split(' '))
  await settle()
  const [stream] = cli.streams
  for (const message of toldBy(stream?.path ?? '')) {
    if (message === undefined) stream?.end()
    else stream?.send(message)
  }
  expect(await code, cli.err()).toBe(0)
  expect([...cli.calls, ...cli.streams].map(({ path }) => path.split('/').at(-1))).toContain(rpc)
})
