import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FORMAT } from '../../../server/store/kv-meta.ts'
import { repositoryRoot } from '../../support/repository.ts'
import type { Goldens } from './golden-case.ts'
import { backupBytes, VMM } from './golden-daemon.ts'
import { held, kvm } from './golden-holders.ts'
import { anonymous, setA } from './golden-tenant.ts'

const status = {
  version: '0.1.0',
  spaceId: '0c6f2f0e-6a52-4a8e-9a37-2f1f3c1b7d10',
  capacity: 1_048_576,
  reserved: 256,
  available: 982_783,
  sets: 2,
  allocated: 65_548,
  freePending: 1025,
  resting: 7,
  leases: 2,
  subscriptions: 3,
  revision: '90100',
  compactRevision: '40000',
  requestWindowMs: 600_000,
  store: 'lmdb',
  role: 'LEADER',
  overruns: 1,
}

const at = (revision: string, time: string) => ({ revision, time: `${time}.250Z` })

const present = {
  token: 'vm-a',
  setId: '15',
  generation: '90080',
  from: at('90080', '2026-01-01T14:05:00'),
  allocatedBy: VMM,
  freedBy: '',
  bindings: [{ spid: 101, from: at('90081', '2026-01-01T14:05:01'), boundBy: VMM, unboundBy: '' }],
}

const { version }: { version: string } = JSON.parse(readFileSync(join(repositoryRoot, 'package.json'), 'utf8'))

function backupCase(file: string) {
  const { length: bytes } = backupBytes
  const spaceId = 'space-a'
  const facts = { version: '1.2.3', dataFormat: FORMAT, spaceId, revision: 1, compactRevision: 0, capacity: 1024 }
  const time = '2023-11-14T22:13:21.000Z'
  return {
    argv: [file],
    table: `
file              ${file}
bytes             ${bytes}
version           1.2.3
data format       ${FORMAT}
space id          space-a
revision          1
compact revision  0
capacity          1024
time              ${time}
entries           1
marks             0
`,
    json: { file, bytes, ...facts, time, entries: 1, marks: 0 },
  }
}

/** Of who runs the daemon. */
export const operatorCases: Goldens = {
  history: [
    {
      argv: ['4711'],
      table: `
WHAT     FROM                  TO                    SPID  ENDED_BY  TOKEN
life     2026-01-01T14:05:00Z  -                        -  -         vm-a
binding  2026-01-01T14:05:01Z  -                      101  -         vm-a
life     2025-12-31T09:00:00Z  2026-01-01T13:00:00Z     -  LEASE     #1204
`,
      json: [
        present,
        {
          token: '',
          setId: '1204',
          generation: '70001',
          from: at('70001', '2025-12-31T09:00:00'),
          to: at('80002', '2026-01-01T13:00:00'),
          endedBy: 'LEASE',
          allocatedBy: '',
          freedBy: '',
          bindings: [],
        },
      ],
    },
    {
      argv: ['4711', '--at', '2026-01-01T14:06:00Z'],
      table: `
WHAT     FROM                  TO  SPID  ENDED_BY  TOKEN
life     2026-01-01T14:05:00Z  -      -  -         vm-a
binding  2026-01-01T14:05:01Z  -    101  -         vm-a
vm-a: allocated by ${VMM}
vm-a, SPID 101: bound by ${VMM}
`,
      json: [present],
    },
  ],
  compact: [
    {
      argv: ['90000'],
      table: `
revision          90100
compact revision  90000
`,
      json: { revision: '90100', compactRevision: '90000' },
    },
  ],
  'backup save': [backupCase('new.backup')],
  'backup inspect': [backupCase('host.backup')],
  status: [
    {
      argv: [],
      table: `
version            0.1.0
space id           0c6f2f0e-6a52-4a8e-9a37-2f1f3c1b7d10
capacity           1048576
reserved           256
available          982783
sets               2
allocated          65548
free pending       1025
resting            7
leases             2
subscriptions      3
revision           90100
compact revision   40000
request window ms  600000
store              lmdb
role               LEADER
overruns           1
`,
      json: status,
    },
  ],
  health: [{ argv: [], table: '\nstatus  SERVING\n', json: { status: 'SERVING' } }],
  top: [
    {
      argv: [],
      table: `
ioasidd 0.1.0  lmdb  LEADER  revision 90100  kept after 40000
[###.....................................] 6.3 %
ids      65548 of 1048576 allocated  1025 pending  7 resting  982783 to reserve
clients  2 sets  2 leases  3 subscriptions  1 overruns

ALLOCATED  PENDING  BOUND  QUOTA  STATE      SET  TOKEN
    65536     1024      0      0  DRAINING  1204  -
       12        1      8    256  ACTIVE      15  vm-a

REFERENCES  SETS  REMAINING_MS  ON_EXPIRY  STATE  LEASE  NAME
     65536     0             0  HOLD       HELD    1204  -
         3     1         29950  RELEASE    ALIVE      5  kvm
`,
      json: { status, sets: [anonymous, setA], leases: [held, kvm] },
    },
  ],
  'check perf': [
    {
      argv: ['--duration', '500ms', '--callers', '1'],
      table: `
callers             1
changes             20
seconds             0.52
changes per second  38
p50 ms              10
p99 ms              10
max ms              10
`,
      json: { callers: 1, changes: 20, seconds: 0.52, changesPerSecond: 38, p50Ms: 10, p99Ms: 10, maxMs: 10 },
    },
  ],
  version: [{ argv: [], table: `\nversion  ${version}\n`, json: { version } }],
}
