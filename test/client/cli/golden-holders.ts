import type { Goldens } from './golden-case.ts'
import { LEASE_HANDLE, VMM } from './golden-daemon.ts'

export const kvm = {
  leaseHandle: '',
  leaseId: '5',
  name: 'kvm',
  ttlMs: 30_000,
  remainingMs: 29_950,
  onExpiry: 'RELEASE',
  references: 3,
  sets: 1,
  state: 'ALIVE',
  hold: {
    priority: 'CPU',
    tokens: ['vm-a'],
    setIds: [],
    all: false,
    registerRevision: '90072',
    acknowledgedRevision: '90081',
  },
  owner: VMM,
}
export const held = {
  leaseHandle: '',
  leaseId: '1204',
  name: '',
  ttlMs: 86_400_000,
  remainingMs: 0,
  onExpiry: 'HOLD',
  references: 65_536,
  sets: 0,
  state: 'HELD',
  owner: '',
}
const owned = { ...kvm, leaseHandle: LEASE_HANDLE }
const { hold: _hold, ...granted } = { ...owned, references: 0, sets: 0 }

const bound = { token: 'vm-a', setId: '1', snapshot: false, ioasid: 4711, generation: '1' }

/** Of who holds ids, and waits for what becomes of them. */
export const holderCases: Goldens = {
  acquire: [
    {
      argv: ['4711', '--token', 'vm-a'],
      table: `
IOASID  REFERENCES  REVISION
  4711           4     90100
`,
      json: { ioasid: 4711, references: 4, revision: '90100' },
    },
    {
      argv: ['--spid', '101', '--token', 'vm-a'],
      table: `
IOASID  REFERENCES  REVISION
  4711           4     90100
`,
      json: { ioasid: 4711, references: 4, revision: '90100' },
    },
  ],
  release: [
    {
      argv: ['4711', '--token', 'vm-a'],
      table: `
IOASID  REFERENCES  RECLAIMED  REVISION
  4711           0  yes           90100
`,
      json: { ioasid: 4711, references: 0, revision: '90100', reclaimed: true },
    },
  ],
  'lease grant': [
    {
      argv: ['kvm', '--ttl', '30s'],
      table: `
ID  TTL_MS  ON_EXPIRY  HANDLE                                  NAME
 5   30000  RELEASE    lease-AAAAAAAAAAUn5Vx0bQe8LkT2aJd6Hs_Z  kvm
`,
      json: granted,
    },
  ],
  'lease keep-alive': [
    {
      argv: [],
      table: `
ID  STATE  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS  PRIORITY  NAME
 5  ALIVE         29950  RELEASE             3     1  CPU       kvm
`,
      json: owned,
    },
  ],
  'lease revoke': [{ argv: [], table: '\nREVISION\n   90100\n', json: { revision: '90100' } }],
  'lease get': [
    {
      argv: ['--lease', LEASE_HANDLE],
      table: `
ID  STATE  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS  PRIORITY  NAME
 5  ALIVE         29950  RELEASE             3     1  CPU       kvm
`,
      json: owned,
    },
  ],
  'lease list': [
    {
      argv: [],
      table: `
  ID  STATE  REMAINING_MS  ON_EXPIRY  REFERENCES  SETS  PRIORITY  NAME
   5  ALIVE         29950  RELEASE             3     1  CPU       kvm
1204  HELD              0  HOLD            65536     0  -         -
`,
      json: [kvm, held],
    },
  ],
  watch: [
    {
      argv: ['--all', '--count', '4'],
      table: `
90101  BIND        vm-a  ioasid 4711  spid 101
90102  UNBIND      vm-a  ioasid 4711  spid 101  overrun
90102  FREE        vm-a  ioasid 4711
90103  SET_FREE    #1204
`,
      err: `watching after revision 90100
resume with --after-revision 90103 --space-id space-1
`,
      // In their order, each on a line of its own.
      json: [
        { type: 'BIND', revision: '90101', ...bound, spid: 101, bindRevision: '90101' },
        { type: 'UNBIND', revision: '90102', ...bound, spid: 101, bindRevision: '90101', overrun: true },
        { type: 'FREE', revision: '90102', ...bound, overrun: false },
        { type: 'SET_FREE', revision: '90103', token: '', setId: '1204', snapshot: false },
      ],
    },
  ],
}
