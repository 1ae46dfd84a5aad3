import { describe, expect, it } from 'vitest'
import { ca, client, otherCa } from '../../support/certificates.ts'
import { grpcError } from '../grpc-error.ts'
import { ioasidctl, once } from './fake-io.ts'

const env = { IOASIDCTL_SET_HANDLE: 'key-to-a' }

/** Every command, with the way to it. */
const commands = [
  ['set'],
  ['set', 'create'],
  ['set', 'get'],
  ['set', 'list'],
  ['set', 'adjust'],
  ['set', 'delete'],
  ['alloc'],
  ['free'],
  ['get'],
  ['list'],
  ['attach'],
  ['detach'],
  ['data'],
  ['data', 'attach'],
  ['data', 'detach'],
  ['acquire'],
  ['release'],
  ['lease'],
  ['lease', 'grant'],
  ['lease', 'keep-alive'],
  ['lease', 'revoke'],
  ['lease', 'get'],
  ['lease', 'list'],
  ['watch'],
  ['history'],
  ['compact'],
  ['backup', 'save'],
  ['backup', 'inspect'],
  ['status'],
  ['health'],
  ['top'],
  ['check'],
  ['check', 'perf'],
  ['completion'],
  ['version'],
  ['help'],
]

describe('help', () => {
  it.each(commands.map((argv) => ({ argv, name: argv.join(' ') })))('of $name has examples', async ({ argv, name }) => {
    const { code, out, err } = await once({}, ...argv, '--help')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('Usage: ioasidctl')
    if (argv.length > 1 || !['set', 'data', 'lease', 'check', 'backup'].includes(name))
      expect(out).toContain(`Examples:\n  ioasidctl ${argv.join(' ')}`)
  })

  it('has all commands and all exit codes', async () => {
    const { out } = await once({}, '--help')
    const [section = ''] = /(?<=\nCommands:\n)(.+\n)+/.exec(out) ?? []
    const listed = [...section.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name)
    expect(new Set(listed)).toEqual(new Set(commands.map(([name]) => name)))
    expect(out).toContain('130 interrupted')
  })

  it.each([[], ...commands])('fits a terminal of 80 columns: %j', async (...argv) => {
    const { out } = await once({}, ...argv, '--help')
    expect(out.split('\n').filter((line) => line.length > 80)).toEqual([])
  })

  it('is a command too, of every group of commands', async () => {
    const of = async (...argv: string[]) => await once({}, ...argv)
    expect(await of('help', 'alloc')).toMatchObject({
      code: 0,
      err: '',
      out: expect.stringContaining('ioasidctl alloc'),
    })
    expect(await of('help')).toMatchObject({ code: 0, err: '', out: (await of('--help')).out })
    expect(await of('set', 'help')).toMatchObject({ code: 0, err: '', out: (await of('set', '--help')).out })
  })

  it('is what a command without its subcommand gets, as a wrong use', async () => {
    expect(await once({}, 'set')).toMatchObject({ code: 2, err: expect.stringContaining('Usage: ioasidctl set') })
    expect(await once({})).toMatchObject({ code: 2, err: expect.stringContaining('Usage: ioasidctl') })
  })
})

describe('the endpoint', () => {
  it('is that of the flag, else of the environment, else the default', async () => {
    const endpoint = async (extra: Record<string, string>, ...argv: string[]) => {
      const cli = ioasidctl({ env: extra, answer: () => ({ sets: [] }) })
      await cli.run('set', 'list', ...argv)
      return cli.connected[0]?.endpoint
    }
    const fromEnv = { IOASIDCTL_ENDPOINT: 'host:1' }
    expect(await endpoint(fromEnv, '--endpoint', 'host:2', '--endpoint', 'host:3')).toEqual(['host:2', 'host:3'])
    expect(await endpoint(fromEnv)).toBe('host:1')
    expect(await endpoint({})).toBeUndefined()
    expect(await endpoint({ IOASIDCTL_ENDPOINT: '' })).toBeUndefined()
  })
})

describe('TLS', () => {
  const files = { ca, cert: client.cert, key: client.key, 'other-ca': otherCa }
  const bytes = (text: string) => Buffer.from(text)
  const connectedWith = async (env: Record<string, string>, ...argv: string[]) => {
    const cli = ioasidctl({ env, files, answer: () => ({ sets: [] }) })
    expect([await cli.run('set', 'list', ...argv), cli.err()]).toEqual([0, ''])
    return cli.connected[0]?.tls
  }
  const fromEnv = { IOASIDCTL_CACERT: 'ca', IOASIDCTL_CERT: 'cert', IOASIDCTL_KEY: 'key' }
  const all = { ca: bytes(ca), cert: bytes(client.cert), key: bytes(client.key) }

  it('is that of the flags, else of the environment, else none', async () => {
    const host = ['--endpoint', 'host:1']
    expect(await connectedWith({}, ...host)).toBeUndefined()
    expect(await connectedWith(fromEnv, ...host)).toEqual(all)
    const flags = ['--cacert', 'ca', '--cert', 'cert', '--key', 'key', '--server-name', 'b.example']
    expect(await connectedWith({}, ...host, ...flags)).toEqual({ ...all, serverName: 'b.example' })
    expect(await connectedWith(fromEnv, ...host, '--cacert', 'other-ca')).toEqual({ ...all, ca: bytes(otherCa) })
    expect(await connectedWith({ IOASIDCTL_CACERT: '' }, ...host)).toBeUndefined()
  })

  it('of the environment is left aside where the daemon is asked on a Unix socket', async () => {
    expect(await connectedWith(fromEnv, '--endpoint', 'unix:///x.sock')).toBeUndefined()
    expect(await connectedWith({ ...fromEnv, IOASIDCTL_ENDPOINT: 'unix:///x.sock' })).toBeUndefined()
    expect(await connectedWith({ IOASIDCTL_CACERT: '/nowhere' })).toBeUndefined()
  })
})

describe('a failure', () => {
  const failing = (error: Error) => ({ env, answer: () => Promise.reject(error) })

  it.each([
    ['NOT_FOUND', 'SET_NOT_FOUND', 3],
    ['DEADLINE_EXCEEDED', undefined, 4],
    ['RESOURCE_EXHAUSTED', 'QUOTA_EXCEEDED', 6],
    ['RESOURCE_EXHAUSTED', 'RANGE_EXHAUSTED', 6],
    ['PERMISSION_DENIED', 'WRONG_SET', 7],
    ['UNAUTHENTICATED', 'NO_IDENTITY', 7],
    ['INVALID_ARGUMENT', 'INVALID_FIELD', 2],
    ['INVALID_ARGUMENT', 'INVALID_RANGE', 1],
    ['ALREADY_EXISTS', 'SPID_IN_USE', 1],
    ['FAILED_PRECONDITION', 'SET_DRAINING', 1],
    ['OUT_OF_RANGE', 'COMPACTED', 1],
    ['INTERNAL', undefined, 1],
  ] as const)('%s %s ends with its exit code', async (status, reason, exitCode) => {
    const rich = reason === undefined ? undefined : { reason }
    const { code, out, err, isClosed } = await once(failing(grpcError(status, 'because', rich)), 'alloc')
    expect({ code, out, isClosed }).toEqual({ code: exitCode, out: '', isClosed: true })
    expect(err.split('\n')[0]).toBe(`error: ${reason ?? status}: because`)
  })

  it.each([
    ['PERMISSION_DENIED', 'NOT_PERMITTED', ['your certificate (--cert)', "the daemon's operator"]],
    ['UNAUTHENTICATED', 'NO_IDENTITY', ['give --cert and --key', 'Unix socket']],
  ] as const)('%s %s is denied, and says what one can do about it', async (status, reason, advice) => {
    const error = failing(grpcError(status, 'because', { reason }))
    const { code, err } = await once(error, 'set', 'list')
    expect(code).toBe(7)
    for (const words of advice) expect(err).toContain(words)
    expect(err.split('\n').filter((line) => line.length > 80)).toEqual([])
    // Programs have the reason, and no flags.
    const json = await once(error, 'set', 'list', '-o', 'json')
    expect(json.code).toBe(7)
    const told = { reason, code: status, message: 'because', metadata: {}, violations: [] }
    expect(JSON.parse(json.err)).toEqual({ error: told })
  })

  it('that is a limit says whose, and when it is worth trying again', async () => {
    const refuse = (metadata: Record<string, string>) =>
      once(failing(grpcError('RESOURCE_EXHAUSTED', 'Too many.', { reason: 'TOO_MANY', metadata })), 'set', 'create')
    const told = async (metadata: Record<string, string>) => {
      const { code, err } = await refuse(metadata)
      expect(code).toBe(6)
      return err.trimEnd().split('\n')
    }
    expect(await told({ what: 'own_sets', limit: '8', retry_after_ms: '1500' })).toEqual([
      'error: TOO_MANY: Too many.',
      '  what=own_sets limit=8 retry_after_ms=1500',
      '  It is the limit of each identity, and this is yours.',
      '  It may be granted in 2s.',
    ])
    expect((await told({ what: 'requests', retry_after_ms: '40' })).slice(2)).toEqual(['  It may be granted in 40ms.'])
    expect((await told({ what: 'sets', limit: '8' })).slice(2)).toEqual([])
  })

  it('tells the facts', async () => {
    const metadata = { set_id: '1', limit: '16', used: '16', requested: '1' }
    const error = grpcError('RESOURCE_EXHAUSTED', 'The set is full.', { reason: 'QUOTA_EXCEEDED', metadata })
    const { err } = await once(failing(error), 'alloc')
    expect(err).toBe('error: QUOTA_EXCEEDED: The set is full.\n  set_id=1 limit=16 used=16 requested=1\n')
    const json = await once(failing(error), 'alloc', '-o', 'json')
    expect(json.out).toBe('')
    expect(JSON.parse(json.err)).toEqual({
      error: {
        reason: 'QUOTA_EXCEEDED',
        code: 'RESOURCE_EXHAUSTED',
        message: 'The set is full.',
        metadata,
        violations: [],
      },
    })
  })

  it('is unreachable when nobody has answered until the deadline', async () => {
    const cli = ioasidctl(failing(grpcError('UNAVAILABLE', 'connect ENOENT /x.sock')))
    const code = cli.run('status', '--deadline', '2s')
    await cli.advance(2_000)
    expect(await code).toBe(4)
    expect(cli.err()).toBe('error: UNAVAILABLE: connect ENOENT /x.sock\n')
    expect(cli.calls.length).toBeGreaterThan(3)
  })

  it('is no failure when the user has had enough: it is 130', async () => {
    const cli = ioasidctl(failing(grpcError('UNAVAILABLE')))
    const code = cli.run('status')
    await cli.advance(100)
    cli.interrupt.abort()
    expect(await code).toBe(130)
    expect(cli.err()).toBe('')
  })

  it('that is a bug says where', async () => {
    const error = new TypeError('x is not a function')
    expect(await once(failing(error), 'alloc')).toMatchObject({ code: 1, err: expect.stringContaining('INTERNAL') })
  })
})
