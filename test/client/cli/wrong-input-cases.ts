/** Texts that a command refuses, and what it says of each. */
export interface Wrong {
  readonly texts: readonly string[]
  /** What is allowed, behind what commander says of every text that is not; with `error: ` in front: all of it. */
  readonly says: string
}

/** By long flag, or by the name of an argument. A text: why none is wrong. */
export type WrongInputs = Readonly<Record<string, readonly Wrong[] | string>>

export interface CommandInputs {
  /** Arguments that are right. */
  readonly args?: readonly string[]
  /** Options that are right, and needed. */
  readonly options?: readonly string[]
  readonly wrong: WrongInputs
}

const NO_NUMBERS = ['', 'seven', '1.5', '1e3', '4x', '0x', ' 7']
const whole = (min: string, max: string, ...beyond: string[]): readonly Wrong[] => [
  { texts: [...NO_NUMBERS, ...beyond], says: `A whole number from ${min} to ${max} is allowed.` },
]
const id = whole('0', '4294967295', '4294967296', '0x100000000')
const spid = whole('0', '4294967294', '4294967295', '-1')
const uint64 = whole('0', '18446744073709551615', '18446744073709551616')
const time = (min: string, max: string, ...beyond: string[]): readonly Wrong[] => [
  {
    texts: ['', '5', '5d', '1.5s', '-1s', '0s', ...beyond],
    says: `A time from ${min} to ${max} is allowed: 500ms, 5s, 2m, 1h.`,
  },
]
const choice = (...choices: string[]): readonly Wrong[] => [
  { texts: ['', 'other'], says: `Allowed choices are ${choices.join(', ')}.` },
]

const hex: readonly Wrong[] = [
  {
    texts: ['', '0', '0x01', '01 ff', 'xy', '00'.repeat(4097)],
    says: '1 to 4096 bytes in hexadecimal are allowed, two digits for each: 01ff.',
  },
]

const LONG = 'ü'.repeat(128)
const NO_NAMES = [LONG, 'a\nb', 'a\u2028b', '\uFFFD', '\uD800']
const name: readonly Wrong[] = [
  { texts: NO_NAMES, says: 'At most 255 bytes of UTF-8 without control characters are allowed.' },
]
const empty: readonly Wrong[] = [{ texts: [''], says: 'It is empty: leave it out, or give a text.' }]
/** Of a command that looks for a set by its token too. */
const ofSet = {
  '--set-handle': empty,
  '--token': [...name, { texts: [''], says: 'error: --token is empty; an anonymous set is found by its handle.' }],
} satisfies WrongInputs

const file = (flag: string): readonly Wrong[] => [
  ...empty,
  {
    texts: ['/nowhere.pem'],
    says: `error: ${flag}: '/nowhere.pem' cannot be read: ENOENT: no such file or directory.`,
  },
]

/** Of every command. */
export const everywhere: CommandInputs = {
  wrong: {
    '--endpoint': ['', 'http://x', 'host', 'host:0', 'host:65536'].map((text) => ({
      texts: [text],
      says: `error: --endpoint: '${text}'; unix:///path, tcp://host:port or host:port is wanted.`,
    })),
    '--cacert': file('--cacert'),
    '--cert': file('--cert'),
    '--key': file('--key'),
    '--server-name': [
      ...empty,
      ...['host:7000', 'a b', '.example', 'https://host'].map((text) => ({
        texts: [text],
        says: `error: --server-name: '${text}'; a name as host.example, or an IP address, is wanted, without a port.`,
      })),
    ],
    '--output': choice('table', 'wide', 'json', 'jsonl', 'yaml', 'name'),
    '--deadline': time('1ms', '24h', '25h'),
  },
}

export const commandInputs: Readonly<Record<string, CommandInputs>> = {
  'set create': {
    wrong: {
      token: [...name, { texts: [''], says: 'error: the token is empty; leave it out for an anonymous set.' }],
      '--quota': whole('0', '4294967295', '4294967296', '-1'),
      '--lease': empty,
    },
  },
  'set get': { wrong: ofSet },
  'set list': { wrong: { '--prefix': name } },
  'set adjust': {
    options: ['--quota', '16'],
    wrong: { '--set-handle': empty, '--quota': whole('0', '4294967295', '4294967296', '-1') },
  },
  'set delete': { options: ['--force'], wrong: { '--set-handle': empty, '--set-id': uint64 } },
  alloc: {
    wrong: {
      '--set-handle': empty,
      '--count': whole('1', '65536', '0', '65537', '-1'),
      '--min': id,
      '--max': id,
      '--spids': [
        {
          texts: ['', '1,', '1,,2', '1;2', '1, 2', '4294967295', '1,-2', '7,8,7', '10,0xa'],
          says: 'Different whole numbers from 0 to 4294967294 with commas between are allowed.',
        },
      ],
      '--data': hex,
    },
  },
  free: { args: ['7'], wrong: { ioasids: id, '--set-handle': empty, '--generation': uint64 } },
  get: {
    wrong: {
      ioasid: id,
      '--set-handle': 'With an id it is another sentence than with --spid: both are told apart below.',
      '--token': 'It goes with --spid: both are told apart below.',
      '--spid': spid,
    },
  },
  list: { wrong: ofSet },
  attach: {
    args: ['7'],
    options: ['--spid', '101'],
    wrong: { ioasid: id, '--set-handle': empty, '--spid': spid, '--device': name },
  },
  detach: { args: ['7'], wrong: { ioasid: id, '--set-handle': empty, '--device': name } },
  'data attach': { args: ['7'], wrong: { ioasid: id, '--set-handle': empty, '--hex': hex, '--file': file('--file') } },
  'data detach': { args: ['7'], wrong: { ioasid: id, '--set-handle': empty } },
  acquire: { args: ['7'], wrong: { ioasid: id, ...ofSet, '--lease': empty, '--spid': spid } },
  release: { args: ['7'], wrong: { ioasid: id, ...ofSet, '--lease': empty } },
  'lease grant': {
    options: ['--ttl', '30s'],
    wrong: { name, '--ttl': time('1ms', '8760h', '8761h'), '--on-expiry': choice('release', 'hold') },
  },
  'lease keep-alive': { wrong: { '--lease': empty } },
  'lease revoke': { wrong: { '--lease': empty, '--lease-id': uint64 } },
  'lease get': { wrong: { '--lease': empty } },
  'lease list': { wrong: {} },
  watch: {
    options: ['--all', '--hold', '--after-revision', '3'],
    wrong: {
      '--token': [...name, ...empty],
      '--set-handle': empty,
      '--types': [
        {
          texts: ['', 'BOUND', 'BIND,', 'BIND,BOUND', 'BIND, FREE'],
          says: 'Some of SET_ALLOC, SET_FREE, SET_ADJUST, ALLOC, BIND, UNBIND, FREE, RECLAIM are allowed, with commas between.',
        },
      ],
      '--after-revision': uint64,
      '--priority': choice('CPU', 'IOMMU', 'DEVICE'),
      '--ttl': time('100ms', '24h', '99ms', '25h'),
      '--space-id': [...name, ...empty],
      '--count': whole('1', '9007199254740991', '0', '-1', '9007199254740993'),
      '--timeout': time('1ms', '24h', '25h'),
    },
  },
  history: {
    args: ['7'],
    wrong: {
      ioasid: id,
      '--at': [
        {
          texts: [
            '',
            '14',
            '24:00',
            '14:60',
            'yesterday',
            '2026-13-01T00:00:00Z',
            '2026-02-30T00:00:00Z',
            '22.11.2026',
          ],
          says: 'A time is allowed: 2026-11-22T14:05:00Z, or 14:05.',
        },
      ],
    },
  },
  compact: { args: ['7'], wrong: { revision: uint64 } },
  'backup save': { args: ['new.backup'], wrong: { file: empty } },
  'backup inspect': { args: ['host.backup'], wrong: { file: empty } },
  status: { wrong: {} },
  health: { wrong: {} },
  top: { wrong: { '--interval': time('100ms', '24h', '99ms', '25h') } },
  'check perf': {
    wrong: { '--duration': time('1ms', '24h', '25h'), '--callers': whole('1', '1000', '0', '1001', '-1') },
  },
  completion: { wrong: { shell: choice('bash', 'zsh', 'fish') } },
  version: { wrong: {} },
  help: {
    wrong: { command: ['', 'frobnicate'].map((text) => ({ texts: [text], says: `error: unknown command '${text}'` })) },
  },
}
