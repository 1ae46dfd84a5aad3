import type { Usage } from './command-line.ts'
import { type Host, placeOf, type UsageError, usageError } from './config-flags.ts'
import { type LoadConfig, loadOf } from './config-limits.ts'
import { readSources, type Settings } from './config-sources.ts'
import { checkTls, tlsOf } from './config-tls.ts'
import type { OwnLimits } from './core/caller.ts'
import type { SpaceConfig } from './core/state.ts'
import type { EngineOptions } from './engine/engine.ts'
import { FLAGS } from './flags.ts'
import { AFTER_FLAGS } from './help-text.ts'
import { type Address, isLocal, type TcpAddress } from './rpc/address.ts'
import type { TlsFiles } from './rpc/certificate-files.ts'
import { unserved, type WithRealAddresses, withRealAddresses } from './socket-activation.ts'
import { VERSION } from './version.ts'

/** Flags, environment and file to one frozen Config. Every limit and every default is in flags.ts. */

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
      maxIds: values['max-own-ids'],
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
function listenersOf({ listen, 'no-admin': noAdmin, 'policy-file': policyFile }: Values): readonly Listener[] {
  const different = listen.filter((address, index) => isAnyPort(address) || indexOf(listen, address) === index)
  // Where there is a policy it says who administers, wherever he comes in.
  const mayBe = (address: Address) => policyFile !== '' || isLocal(address)
  return different.map((address) => ({ address, isAdmin: mayBe(address) && indexOf(noAdmin, address) < 0 }))
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
