import { join } from 'node:path'
import type { Usage } from './command-line.ts'
import { type Fallback, flag, type Host, listFlag, placeOf, type UsageError, usageError } from './config-flags.ts'
import { LOAD_FLAGS, type LoadConfig, loadOf } from './config-limits.ts'
import { readSources, type Settings } from './config-sources.ts'
import { checkTls, tlsOf } from './config-tls.ts'
import {
  address,
  bytes,
  count,
  duration,
  metricsAddress,
  oneOf,
  optionalFile,
  path,
  ranges,
  yesOrNo,
} from './config-values.ts'
import type { OwnLimits } from './core/caller.ts'
import type { SpaceConfig } from './core/state.ts'
import type { EngineOptions } from './engine/engine.ts'
import { AFTER_FLAGS } from './help-text.ts'
import { type Address, isLocal, type TcpAddress } from './rpc/address.ts'
import type { TlsFiles } from './rpc/certificate-files.ts'
import { unserved, type WithRealAddresses, withRealAddresses } from './socket-activation.ts'
import { VERSION } from './version.ts'

/** Flags, environment and file to one frozen Config. Every limit and every default is here or in config-limits.ts. */

export interface Config {
  readonly listeners: readonly Listener[]
  /** What every listener on TCP speaks; undefined: without TLS. */
  readonly tls: TlsFiles | undefined
  readonly store: 'memory' | 'lmdb'
  readonly dataDir: string
  readonly space: SpaceConfig
  readonly limits: EngineOptions['limits']
  readonly snapshotTimeoutMs: number
  readonly leaseBounds: { readonly minTtlMs: number; readonly maxTtlMs: number }
  /** Empty: there is no policy. */
  readonly policyFile: string
  /** Of one identity, where there is a policy. */
  readonly own: OwnLimits
  readonly load: LoadConfig
  readonly maxConnections: number
  readonly connectionIdleMs: number
  readonly maxInFlightBytes: number
  readonly log: LogConfig
  readonly observability: ObservabilityConfig
}

export interface Listener {
  readonly address: Address
  /** Whether it serves AdminService. */
  readonly isAdmin: boolean
}

export interface LogConfig {
  readonly level: 'debug' | 'info' | 'warn' | 'error' | 'fatal'
  readonly format: 'text' | 'json'
}

export interface ObservabilityConfig {
  /** null: metrics are not served. */
  readonly metricsListen: TcpAddress | null
  readonly slowCallMs: number
  readonly tracing: boolean
  readonly maxEventLoopDelayMs: number
}

/** The contract's, and so no flag: devices that bind one id. */
const MAX_DEVICES_PER_ID = 64

const DEFAULT_LISTEN: Fallback = {
  text: 'unix:///run/ioasidd/ioasidd.sock, or without root unix://$XDG_RUNTIME_DIR/ioasidd.sock',
  of: ({ env, isRoot }) => {
    if (isRoot) return 'unix:///run/ioasidd/ioasidd.sock'
    // Without a runtime directory, beside the data: anywhere in /tmp somebody else may have been first.
    const dir = env['XDG_RUNTIME_DIR'] || stateDir(env)
    return dir === undefined ? undefined : `unix://${join(dir, 'ioasidd.sock')}`
  },
}

const DEFAULT_DATA_DIR: Fallback = {
  text: '/var/lib/ioasidd, or without root $XDG_STATE_HOME/ioasidd',
  of: ({ env, isRoot }) => (isRoot ? '/var/lib/ioasidd' : stateDir(env)),
}

function stateDir({ XDG_STATE_HOME: state = '', HOME: home = '' }: Host['env']): string | undefined {
  if (state !== '') return join(state, 'ioasidd')
  return home === '' ? undefined : join(home, '.local/state/ioasidd')
}

const DEFAULT_LOG_FORMAT: Fallback = {
  text: 'text on a terminal, else json',
  of: ({ isTerminal }) => (isTerminal ? 'text' : 'json'),
}

const LISTEN_HELP =
  'where to serve: unix:///PATH, IP:PORT (0 picks one), fd:// (all that systemd hands over), fd://NAME or fd://3'

const MAX_CAPACITY = 16_777_216

/** Every flag by its name. A test compares the README's reference with it. */
export const FLAGS = {
  config: flag('Configuration', optionalFile, '', 'YAML with flags by name, weaker than flags and variables'),

  listen: listFlag('Listening', address, DEFAULT_LISTEN, LISTEN_HELP),
  'no-admin': listFlag('Listening', address, '', 'a --listen address that does not serve AdminService'),
  insecure: flag('Listening', yesOrNo, 'false', 'serve on TCP that is not loopback, without TLS'),
  'max-connections': flag('Listening', count(1, 1_000_000), '16384', 'connections at once'),
  'connection-idle': flag('Listening', duration('1s', '24h'), '5m', 'a connection without an open call is closed then'),

  'cert-file': flag('TLS', optionalFile, '', 'certificate, in PEM; with it every listener on TCP speaks TLS'),
  'key-file': flag('TLS', optionalFile, '', 'its key, in PEM, not encrypted'),
  'trusted-ca-file': flag('TLS', optionalFile, '', 'CAs, in PEM, of which the certificates of clients may be'),
  'client-cert-auth': flag('TLS', yesOrNo, 'false', 'serve no client without a certificate on TCP'),

  'policy-file': flag('Access', optionalFile, '', 'YAML that says who may what; without one handles protect changes'),

  store: flag('Data', oneOf(['memory', 'lmdb'], ' (etcd is not there yet)'), 'lmdb', 'where the history is kept'),
  'data-dir': flag('Data', path, DEFAULT_DATA_DIR, 'directory of the lmdb store'),
  history: flag('Data', count(1, 1_000_000_000), '1000000', 'revisions kept; beyond it the oldest tenth is dropped'),
  'history-bytes': flag('Data', bytes('64KiB', '1TiB'), '1GiB', 'bytes of history kept, likewise'),
  'snapshot-every': flag('Data', count(1, 1_000_000_000), '50000', 'revisions after which a snapshot is written'),

  capacity: flag('Space', count(2, MAX_CAPACITY), '1048576', 'ids of the space: 0 to N-1'),
  reserved: flag('Space', ranges(MAX_CAPACITY - 1), '', 'ids never handed out; 0 never is'),
  policy: flag('Space', oneOf(['rested', 'lowest']), 'rested', 'which free id is next'),
  'reuse-delay': flag('Space', duration('0s', '8760h'), '0s', 'rest of an id between its reclaim and its next life'),

  'lease-ttl-min': flag('Leases', duration('1ms', '24h'), '500ms', 'the shortest time that a lease is granted for'),
  'lease-ttl-max': flag('Leases', duration('1s', '8760h'), '24h', 'the longest'),
  'lease-grace': flag('Leases', duration('200ms', '24h'), '5s', 'no lease ends sooner after a start'),
  'teardown-timeout': flag('Leases', duration('10ms', '24h'), '5s', 'how long a teardown waits for a class of holders'),

  'request-window': flag('Requests', duration('1ms', '720h'), '10m', 'how long answers by request_id are kept'),
  'request-limit': flag('Requests', count(1, 100_000_000), '1000000', 'answers by request_id kept at most'),
  'snapshot-timeout': flag('Requests', duration('10ms', '24h'), '60s', 'wait for who reads a snapshot or a backup'),

  'max-sets': flag('Limits', count(1, 10_000_000), '100000', 'sets'),
  'max-leases': flag('Limits', count(1, 1_000_000), '10000', 'leases'),
  'max-references': flag('Limits', count(1, 100_000_000), '4194304', 'pairs of an id and a lease that holds it'),
  'max-subscriptions': flag('Limits', count(1, 1_000_000), '10000', 'subscriptions'),
  'max-own-sets': flag('Limits', count(1, 10_000_000), '25000', 'sets of one identity, where there is a policy'),
  'max-own-leases': flag('Limits', count(1, 1_000_000), '2500', 'leases, likewise'),
  'max-own-subscriptions': flag('Limits', count(1, 1_000_000), '2500', 'subscriptions, likewise'),
  'max-private-data': flag('Limits', bytes('0', '64GiB'), '64MiB', 'private data of all ids together'),
  'max-open-snapshots': flag('Limits', count(1, 10_000), '64', 'large snapshots that are read at once'),
  'max-undurable': flag('Limits', bytes('64KiB', '1GiB'), '64MiB', 'changes that wait for the disk'),
  'max-queued': flag('Limits', bytes('4KiB', '64MiB'), '256KiB', 'events that wait for one subscriber in memory'),
  'max-in-flight': flag(
    'Limits',
    bytes('32MiB', '64GiB'),
    '128MiB',
    'requests and unread answers; of one connection a quarter',
  ),
  ring: flag('Limits', bytes('64KiB', '4GiB'), '16MiB', 'recent events in memory, for subscribers that lag'),
  ...LOAD_FLAGS,

  'log-level': flag('Logs', oneOf(['debug', 'info', 'warn', 'error', 'fatal']), 'info', 'the least that is logged'),
  'log-format': flag('Logs', oneOf(['text', 'json']), DEFAULT_LOG_FORMAT, 'how'),
  'log-slow-calls': flag('Logs', duration('1ms', '24h'), '1s', 'a call that takes so long has a line of its own'),

  'metrics-listen': flag(
    'Observability',
    metricsAddress,
    '',
    'where to serve /metrics, /livez and /readyz, 127.0.0.1:9464 for example; without it nowhere',
  ),
  'max-event-loop-delay': flag(
    'Observability',
    duration('10ms', '1h'),
    '1s',
    'when the daemon says that it is NOT_SERVING, until it is well again',
  ),
  tracing: flag(
    'Observability',
    yesOrNo,
    'false',
    'take traceparent from metadata, and make spans where there is a provider',
  ),
} as const

export type Loaded =
  | {
      readonly kind: 'config'
      readonly config: Config
      readonly warnings: readonly string[]
      /** Of what the configuration is made. */
      readonly settings: Settings
      /** The file that was read; '' is none. */
      readonly file: string
      /** The switches of `usage` that were given. */
      readonly switches: ReadonlySet<string>
    }
  | { readonly kind: 'text'; readonly text: string }
  | UsageError

/** What `ioasidd --help` says beside the flags; a command that takes the same flags has its own. */
export const USAGE: Usage = {
  name: 'ioasidd',
  version: VERSION,
  description: 'The daemon that owns the PASIDs (IOASIDs) of a host.',
  after: AFTER_FLAGS,
}

export function loadConfig(argv: readonly string[], host: Host, usage: Usage = USAGE): Loaded {
  const read = readSources(FLAGS, usage, argv, host)
  if (read.kind !== 'values') return read
  const { settings, file, switches } = read
  const values = withRealAddresses(read.values, host.handedOver)
  if (typeof values === 'string') return usageError(placed(values, settings))
  const checks = [checkTls, checkListeners, checkMetrics, checkReserved, checkLeaseBounds].map((check) => check(values))
  const [wrong, ...more] = checks.filter((problem) => problem !== undefined).map((problem) => placed(problem, settings))
  if (wrong !== undefined) return usageError(wrong, ...more)
  const strays = read.unknownVariables.map((name) => `${name} is set, but there is no such flag`)
  const warnings = [...strays, ...unserved(values.listen, host.handedOver)]
  return { kind: 'config', config: freeze(toConfig(values)), warnings, settings, file, switches }
}

/** What does not fit together is said of a flag: this says it of the place where its value is from. */
function placed(problem: string, settings: Settings): string {
  return problem.replace(/^--([a-z-]+)/, (flag, name: string) => {
    const setting = settings.get(name)
    return setting === undefined ? flag : placeOf(name, setting.origin)
  })
}

type Read = Extract<ReturnType<typeof readSources<typeof FLAGS>>, { kind: 'values' }>
type Values = WithRealAddresses<Read['values']>

function toConfig(values: Values): Config {
  return {
    listeners: listenersOf(values),
    tls: tlsOf(values),
    store: values.store,
    dataDir: values['data-dir'],
    space: {
      capacity: values.capacity,
      reserved: values.reserved,
      policy: values.policy,
      reuseDelayMs: values['reuse-delay'],
      maxSets: values['max-sets'],
      maxPrivateData: values['max-private-data'],
      maxDevicesPerId: MAX_DEVICES_PER_ID,
      maxLeases: values['max-leases'],
      maxReferences: values['max-references'],
    },
    limits: {
      requestWindowMs: values['request-window'],
      requestLimit: values['request-limit'],
      maxSubscriptions: values['max-subscriptions'],
      maxOpenSnapshots: values['max-open-snapshots'],
      leaseGraceMs: values['lease-grace'],
      teardownTimeoutMs: values['teardown-timeout'],
      historyRevisions: values.history,
      historyBytes: values['history-bytes'],
      snapshotEvery: values['snapshot-every'],
      maxUndurableBytes: values['max-undurable'],
      ringBytes: values.ring,
      maxQueuedBytes: values['max-queued'],
    },
    snapshotTimeoutMs: values['snapshot-timeout'],
    leaseBounds: { minTtlMs: values['lease-ttl-min'], maxTtlMs: values['lease-ttl-max'] },
    policyFile: values['policy-file'],
    own: {
      maxSets: values['max-own-sets'],
      maxLeases: values['max-own-leases'],
      maxSubscriptions: values['max-own-subscriptions'],
    },
    load: loadOf(values),
    maxConnections: values['max-connections'],
    connectionIdleMs: values['connection-idle'],
    maxInFlightBytes: values['max-in-flight'],
    log: { level: values['log-level'], format: values['log-format'] },
    observability: {
      metricsListen: values['metrics-listen'] === 'nowhere' ? null : values['metrics-listen'],
      slowCallMs: values['log-slow-calls'],
      tracing: values.tracing,
      maxEventLoopDelayMs: values['max-event-loop-delay'],
    },
  }
}

/** An address that is named twice is one listener, but for port 0, which is another port each time. */
function listenersOf({ listen, 'no-admin': noAdmin }: Values): readonly Listener[] {
  const different = listen.filter((address, index) => isAnyPort(address) || indexOf(listen, address) === index)
  return different.map((address) => ({ address, isAdmin: isLocal(address) && indexOf(noAdmin, address) < 0 }))
}

function isAnyPort(address: Address): boolean {
  return address.kind === 'tcp' && address.port === 0
}

function indexOf(addresses: readonly Address[], { text }: Address): number {
  return addresses.findIndex((address) => address.text === text)
}

function checkListeners({ listen, 'no-admin': noAdmin, insecure, 'cert-file': certFile }: Values): string | undefined {
  const open = listen.find((address) => !isLocal(address))
  if (open !== undefined && certFile === '' && !insecure) {
    const how = 'it takes --cert-file and --key-file, or a Unix socket, a loopback address, or --insecure'
    return `--listen ${open.text} would serve other hosts without TLS: ${how}.`
  }
  const stray = noAdmin.find((address) => indexOf(listen, address) < 0)
  if (stray === undefined) return undefined
  return `--no-admin does not take '${stray.text}': it takes an address of --listen, ${listen.map(({ text }) => text).join(', ')}.`
}

function checkMetrics({ 'metrics-listen': metrics, insecure }: Values): string | undefined {
  if (metrics === 'nowhere' || isLocal(metrics) || insecure) return undefined
  const how = 'it takes a loopback address, or --insecure'
  return `--metrics-listen ${metrics.text} would tell other hosts, in plain text, how things are: ${how}.`
}

function checkReserved({ reserved, capacity }: Values): string | undefined {
  const beyond = reserved.find(([, last]) => last >= capacity)
  if (beyond === undefined) return undefined
  return `--reserved does not take '${beyond.join('-')}': it takes ids of the space, 0 to ${capacity - 1}.`
}

function checkLeaseBounds({ 'lease-ttl-min': minMs, 'lease-ttl-max': maxMs }: Values): string | undefined {
  if (minMs <= maxMs) return undefined
  return `--lease-ttl-min does not take '${minMs}ms': it takes at most --lease-ttl-max, ${maxMs}ms.`
}

function freeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) freeze(part)
  return Object.freeze(value)
}
