import { describe, expect, it } from 'vitest'
import { type Config, loadConfig } from '../../server/config.ts'
import { FLAGS } from '../../server/flags.ts'
import { runDaemon } from '../support/daemon.ts'

const HOST = { env: { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/1000' }, isRoot: false, isTerminal: false }

function load(argv: readonly string[], env: Record<string, string> = {}, host: Partial<typeof HOST> = {}): Config {
  const loaded = loadConfig(argv, { ...HOST, ...host, env: { ...(host.env ?? HOST.env), ...env } })
  if (loaded.kind !== 'config') throw new Error(JSON.stringify(loaded))
  return loaded.config
}

function refusal(argv: readonly string[], env: Record<string, string> = {}): string {
  const loaded = loadConfig(argv, { ...HOST, env: { ...HOST.env, ...env } })
  return loaded.kind === 'usage' ? loaded.sentence : `accepted: ${JSON.stringify(loaded)}`
}

describe('a configuration', () => {
  it('is, without a flag, what the contract says', () => {
    const { space, limits, leaseBounds, store, snapshotTimeoutMs } = load([])
    expect(store).toBe('lmdb')
    expect(space).toMatchObject({
      capacity: 1_048_576,
      reserved: [],
      policy: 'rested',
      reuseDelayMs: 0,
      maxSets: 100_000,
    })
    expect(space).toMatchObject({ maxLeases: 10_000, maxReferences: 4_194_304 })
    expect(leaseBounds).toEqual({ minTtlMs: 500, maxTtlMs: 86_400_000 })
    expect(space).toMatchObject({ maxDevicesPerId: 64, maxPrivateData: 64 * 2 ** 20 })
    expect(limits).toMatchObject({ leaseGraceMs: 5000, requestWindowMs: 600_000, requestLimit: 1_000_000 })
    expect(limits).toMatchObject({ historyRevisions: 1_000_000, historyBytes: 2 ** 30, maxSubscriptions: 10_000 })
    expect(snapshotTimeoutMs).toBe(60_000)
  })

  it('looks for socket and data where the owner of the process has them', () => {
    expect(load([])).toMatchObject({
      listeners: [{ address: { kind: 'unix', path: '/run/user/1000/ioasidd.sock' }, isAdmin: true }],
      dataDir: '/home/ada/.local/state/ioasidd',
    })
    expect(load([], { XDG_STATE_HOME: '/state' }).dataDir).toBe('/state/ioasidd')
    expect(load([], {}, { isRoot: true })).toMatchObject({
      listeners: [{ address: { path: '/run/ioasidd/ioasidd.sock' } }],
      dataDir: '/var/lib/ioasidd',
    })
  })

  it('takes a flag before a variable before the default', () => {
    expect(load([], { IOASIDD_CAPACITY: '64' }).space.capacity).toBe(64)
    expect(load(['--capacity', '32'], { IOASIDD_CAPACITY: '64' }).space.capacity).toBe(32)
    expect(load(['--capacity=32'], { IOASIDD_CAPACITY: 'nonsense' }).space.capacity).toBe(32)
    expect(load([], { IOASIDD_CAPACITY: '' }).space.capacity).toBe(1_048_576)
  })

  it('takes the last of a flag that is given twice, and every one of a list', () => {
    expect(load(['--capacity', '32', '--capacity', '64']).space.capacity).toBe(64)
    const text = (config: Config) => config.listeners.map(({ address }) => address.text)
    expect(text(load(['--listen', '127.0.0.1:1', '--listen', 'unix:///x', '--listen', 'tcp://127.0.0.1:1']))).toEqual([
      '127.0.0.1:1',
      'unix:///x',
    ])
    expect(text(load(['--listen', '127.0.0.1:0', '--listen', '127.0.0.1:0']))).toHaveLength(2)
    expect(text(load([], { IOASIDD_LISTEN: 'localhost:1, [::1]:2' }))).toEqual(['127.0.0.1:1', '[::1]:2'])
  })

  it('reads durations, sizes and ranges', () => {
    const limits = (argv: string[]) => load(argv).limits
    expect(limits(['--lease-grace', '200ms']).leaseGraceMs).toBe(200)
    expect(load(['--lease-ttl-min', '1s', '--lease-ttl-max', '2s']).leaseBounds).toEqual({
      minTtlMs: 1000,
      maxTtlMs: 2000,
    })
    const { space } = load(['--max-leases', '3', '--max-references', '4'])
    expect(space).toMatchObject({ maxLeases: 3, maxReferences: 4 })
    expect(limits(['--request-window', '2h']).requestWindowMs).toBe(7_200_000)
    expect(load(['--reuse-delay', '0']).space.reuseDelayMs).toBe(0)
    expect(limits(['--ring', '1048576']).ringBytes).toBe(2 ** 20)
    expect(limits(['--ring', '3GiB']).ringBytes).toBe(3 * 2 ** 30)
    expect(load(['--reserved', '20-29, 0,5-9,10,7-8']).space.reserved).toEqual([
      [0, 0],
      [5, 10],
      [20, 29],
    ])
  })

  it('serves administrators on this host, but where it is told not to', () => {
    const listen = ['--insecure', '--listen', 'unix:///x', '--listen', '127.0.0.2:1', '--listen', '0.0.0.0:1']
    const isAdmin = (argv: string[]) => load(argv).listeners.map((listener) => listener.isAdmin)
    expect(isAdmin(listen)).toEqual([true, true, false])
    expect(isAdmin([...listen, '--no-admin', 'unix:/x'])).toEqual([false, true, false])
    // A policy says who they are, wherever they come in.
    expect(isAdmin([...listen, '--policy-file', '/p'])).toEqual([true, true, true])
    expect(isAdmin([...listen, '--policy-file', '/p', '--no-admin', '0.0.0.0:1'])).toEqual([true, true, false])
    expect(isAdmin(['--listen', '[::1]:1', '--listen', '[0:0::1]:2', '--no-admin', 'tcp://[::1]:1'])).toEqual([
      false,
      true,
    ])
  })

  it('serves other hosts by TLS without --insecure', () => {
    expect(load([]).tls).toBeUndefined()
    const tls = ['--listen', '0.0.0.0:7600', '--cert-file', 'c', '--key-file', 'k']
    expect(load(tls).tls).toEqual({ certFile: 'c', keyFile: 'k', trustedCaFile: undefined, clientCertAuth: false })
    const clients = { IOASIDD_TRUSTED_CA_FILE: 'ca', IOASIDD_CLIENT_CERT_AUTH: 'true' }
    expect(load(tls, clients).tls).toMatchObject({ trustedCaFile: 'ca', clientCertAuth: true })
  })

  it('is frozen through and through', () => {
    const { space, listeners } = load([])
    expect([space, listeners, listeners[0], listeners[0]?.address].every(Object.isFrozen)).toBe(true)
  })

  it('warns of a variable that is no flag', () => {
    const loaded = loadConfig([], { ...HOST, env: { ...HOST.env, IOASIDD_CAPACTY: '3' } })
    expect(loaded).toMatchObject({ warnings: ['IOASIDD_CAPACTY is set, but there is no such flag'] })
  })
})

describe('what is wrong is refused in a sentence', () => {
  const DURATION = /a duration from \S+ to \S+, written like 500ms, 5s, 10m or 1h\.$/
  const cases: [string, RegExp][] = [
    ['--capacity 1', /^--capacity does not take '1': it takes a whole number from 2 to 16,777,216\.$/],
    ['--capacity 16777217', /16,777,216/],
    ['--capacity -5', /'-5'/],
    ['--capacity 0x10', /'0x10'/],
    ['--capacity 1e3', /'1e3'/],
    ['--capacity 10.5', /'10\.5'/],
    ['--reserved 5-3', /^--reserved does not take '5-3': it takes numbers and ranges/],
    ['--reserved 1,,2', /'1,,2'/],
    ['--reserved a', /'a'/],
    ['--capacity 16 --reserved 10-16', /^--reserved does not take '10-16': it takes ids of the space, 0 to 15\.$/],
    ['--policy newest', /it takes rested or lowest\.$/],
    ['--store etcd', /^--store does not take 'etcd': it takes memory or lmdb \(etcd is not there yet\)\.$/],
    ['--store sqlite', /memory or lmdb/],
    ['--lease-grace 199ms', /^--lease-grace does not take '199ms': it takes a duration from 200ms/],
    ['--lease-ttl-min 0s', DURATION],
    ['--lease-ttl-max 999ms', DURATION],
    [
      '--lease-ttl-min 2s --lease-ttl-max 1s',
      /^--lease-ttl-min does not take '2000ms': it takes at most --lease-ttl-max, 1000ms\.$/,
    ],
    ['--max-leases 0', /^--max-leases does not take '0': it takes a whole number from 1 to 1,000,000\.$/],
    ['--max-references 0', /a whole number from 1 to 100,000,000/],
    ['--reuse-delay 5', DURATION],
    ['--reuse-delay 5S', DURATION],
    ['--reuse-delay 1.5s', DURATION],
    ['--teardown-timeout soon', DURATION],
    ['--request-window 0s', DURATION],
    ['--snapshot-timeout -1s', DURATION],
    ['--history 0', /a whole number from 1 to/],
    ['--history-bytes 1GB', /^--history-bytes does not take '1GB': it takes a size from 64KiB to 1TiB/],
    ['--max-private-data 1TiB', /a size from 0 to 64GiB/],
    ['--listen fd://2', /^--listen does not take 'fd:\/\/2': .* fd:\/\/, fd:\/\/NAME or fd:\/\/3\.$/],
    ['--listen fd://a:b', /fd:\/\/NAME/],
    ['--listen example.org:80', /IP:PORT/],
    ['--listen 127.0.0.1', /IP:PORT/],
    ['--listen 127.0.0.1:65536', /IP:PORT/],
    ['--listen ::1:80', /\[IPv6\]:PORT/],
    ['--listen unix:relative', /absolute/],
    [`--listen unix:///${'x'.repeat(107)}`, /at most 107 bytes/],
    ['--listen 0.0.0.0:7600', /^--listen 0\.0\.0\.0:7600 would serve other hosts without TLS.* --insecure\.$/],
    ['--listen [::]:7600', /^--listen \[::\]:7600 would serve other hosts/],
    ['--cert-file c', /^--cert-file needs --key-file: /],
    ['--key-file k', /^--key-file needs --cert-file: /],
    ['--trusted-ca-file ca', /^--trusted-ca-file needs --cert-file and --key-file: /],
    ['--client-cert-auth --cert-file c --key-file k', /^--client-cert-auth needs --trusted-ca-file: /],
    ['--client-cert-auth', /^--client-cert-auth needs --trusted-ca-file: /],
    ['--listen 127.0.0.1:1 --no-admin 127.0.0.1:2', /^--no-admin does not take '127\.0\.0\.1:2': .* 127\.0\.0\.1:1\.$/],
    ['--log-level loud', /debug or info or warn or error or fatal/],
    ['--log-format xml', /text or json/],
    ['--data-dir', /--data-dir/],
    ['--insecure=maybe', /--insecure/],
    ['--capcity 3', /^unknown option '--capcity'.*--capacity.* See --help\.$/],
    ['serve', /^too many arguments/],
  ]
  for (const [line, sentence] of cases) {
    it(line.slice(0, 60), () => expect(refusal(line.split(' '))).toMatch(sentence))
  }

  it('IOASIDD_INSECURE=yes, naming the variable', () => {
    const sentence = "IOASIDD_INSECURE does not take 'yes': it takes true or false."
    expect(refusal([], { IOASIDD_INSECURE: 'yes' })).toBe(sentence)
  })

  it('no place for the socket, where the system names none', () => {
    const loaded = loadConfig([], { ...HOST, env: {} })
    expect(loaded).toMatchObject({ kind: 'usage', sentence: expect.stringMatching(/^--listen has no default here/) })
  })
})

describe('the program', () => {
  it('ends with 2 and a sentence when its configuration is wrong', async () => {
    const { code, stdout, stderr } = await runDaemon(['--capacity', '1'])
    expect({ code, stdout, stderr }).toEqual({
      code: 2,
      stdout: '',
      stderr: "ioasidd: --capacity does not take '1': it takes a whole number from 2 to 16,777,216.\n",
    })
  })

  it('prints its version', async () => {
    expect(await runDaemon(['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^ioasidd \d+\.\d+\.\d+\n$/),
    })
  })

  it('tells of every flag in --help, in groups that fit a terminal', async () => {
    const { code, stdout } = await runDaemon(['--help'])
    expect(code).toBe(0)
    const lines = stdout.split('\n')
    expect(Object.keys(FLAGS).filter((name) => !lines.some((line) => line.startsWith(`  --${name} `)))).toEqual([])
    const groups = new Set(Object.values(FLAGS).map(({ group }) => `${group}:`))
    expect(lines.filter((line) => groups.has(line))).toHaveLength(groups.size)
    expect(lines.filter((line) => line.length > 100)).toEqual([])
  })
})
