import type { Goldens } from './golden-case.ts'
import { SET_HANDLE, VMM } from './golden-daemon.ts'

export const setA = {
  setHandle: '',
  setId: '15',
  token: 'vm-a',
  quota: 256,
  allocated: 12,
  freePending: 1,
  bound: 8,
  state: 'ACTIVE',
  leaseId: '5',
  createRevision: '90071',
  owner: VMM,
}
export const anonymous = {
  setHandle: '',
  setId: '1204',
  token: '',
  quota: 0,
  allocated: 65_536,
  freePending: 1024,
  bound: 0,
  state: 'DRAINING',
  createRevision: '70000',
  owner: '',
}
const owned = { ...setA, setHandle: SET_HANDLE }

const idA = {
  ioasid: 4711,
  setId: '15',
  token: 'vm-a',
  spid: 101,
  state: 'ACTIVE',
  references: 3,
  generation: '90080',
  bindRevision: '90081',
  devices: ['', '0000:3b:00.0'],
}

/** Of who owns sets and their ids. */
export const tenantCases: Goldens = {
  'set create': [
    {
      argv: ['vm-a', '--quota', '256', '--lease', 'x'],
      table: `
ID  QUOTA  HANDLE                                TOKEN
15    256  set-AAAAAAAAAA9zM2Kq0vX1mC7hWf3tYp-R  vm-a
`,
      json: { ...owned, allocated: 0, freePending: 0, bound: 0 },
    },
  ],
  'set get': [
    {
      argv: ['--token', 'vm-a'],
      table: `
ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE   TOKEN
15    256         12        1      8  ACTIVE  vm-a
`,
      json: setA,
    },
  ],
  'set list': [
    {
      argv: [],
      table: `
  ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE     TOKEN
  15    256         12        1      8  ACTIVE    vm-a
1204      0      65536     1024      0  DRAINING  -
`,
      json: [setA, anonymous],
    },
  ],
  'set adjust': [
    {
      argv: ['--quota', '256'],
      table: `
ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE   TOKEN
15    256         12        1      8  ACTIVE  vm-a
`,
      json: owned,
    },
  ],
  'set delete': [
    {
      argv: ['--force'],
      table: `
ID  QUOTA  ALLOCATED  PENDING  BOUND  STATE     TOKEN
15    256          1        1      0  DRAINING  vm-a
`,
      json: { ...owned, bound: 0, allocated: 1, state: 'DRAINING' },
    },
  ],
  alloc: [
    { argv: ['--count', '2'], table: '\n4711\n1048575\n', json: { ioasids: [4711, 1_048_575], revision: '90100' } },
  ],
  free: [
    {
      argv: ['4711', '1048575'],
      table: `
 IOASID  STATE         REFERENCES
   4711  FREE_PENDING           3
1048575  FREE                   0
`,
      json: [
        { ioasid: 4711, state: 'FREE_PENDING', references: 3 },
        { ioasid: 1_048_575, state: 'FREE', references: 0 },
      ],
    },
    {
      argv: ['--all'],
      table: `
RECLAIMED  PENDING  REVISION
    65536       12     90100
`,
      json: { reclaimed: 65_536, pending: 12, revision: '90100' },
    },
  ],
  get: [
    {
      argv: ['4711', '--set-handle', SET_HANDLE],
      table: `
IOASID  SPID  STATE         REFERENCES  GENERATION  SET  TOKEN
  4711   101  FREE_PENDING           3       90080   15  vm-a
not free yet: 3 references left
  lease 5 (kvm): 3 references, has yet to release them
    since revision 90082, 2h 5m ago (2026-01-02T00:59:00.250Z)
`,
      json: {
        ...idA,
        state: 'FREE_PENDING',
        devices: [],
        privateData: '01ff',
        holders: [
          { leaseId: '5', name: 'kvm', count: 3, sinceRevision: '90082', sinceTime: '2026-01-02T00:59:00.250Z' },
        ],
      },
    },
  ],
  list: [
    {
      argv: ['--token', 'vm-a'],
      table: `
 IOASID  SPID  STATE   REFERENCES  GENERATION  SET  TOKEN
   4711   101  ACTIVE           3       90080   15  vm-a
1048575     -  IDLE             0       90099   15  vm-a
`,
      json: [
        { ...idA, holders: [] },
        {
          ioasid: 1_048_575,
          setId: '15',
          token: 'vm-a',
          state: 'IDLE',
          references: 0,
          generation: '90099',
          devices: [],
          holders: [],
        },
      ],
    },
  ],
  attach: [
    {
      argv: ['4711', '--spid', '101', '--device', '0000:3b:00.0'],
      table: `
IOASID  SPID  REVISION  DEVICE
  4711   101     90100  0000:3b:00.0
`,
      json: { ioasid: 4711, spid: 101, device: '0000:3b:00.0', revision: '90100' },
    },
  ],
  detach: [
    {
      argv: ['4711'],
      table: `
IOASID  REVISION  DEVICE
  4711     90100  -
`,
      json: { ioasid: 4711, device: '', revision: '90100' },
    },
  ],
  'data attach': [
    {
      argv: ['4711', '--hex', '01FF'],
      table: `
IOASID  DATA_BYTES  REVISION
  4711           2     90100
`,
      json: { ioasid: 4711, privateData: '01ff', revision: '90100' },
    },
  ],
  'data detach': [
    {
      argv: ['4711'],
      table: `
IOASID  REVISION
  4711     90100
`,
      json: { ioasid: 4711, revision: '90100' },
    },
  ],
}
