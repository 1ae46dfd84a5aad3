import { join } from 'node:path'
import { type Fallback, flag, type Host, listFlag } from './config-flags.ts'
import { LOAD_FLAGS } from './config-limits.ts'
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
  'max-own-ids': flag(
    'Limits',
    count(1, MAX_CAPACITY),
    '262144',
    'ids of its quotas and of its sets without one, likewise',
  ),
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
