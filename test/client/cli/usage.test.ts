import { describe, expect, it } from 'vitest'
import { grpcError } from '../grpc-error.ts'
import { ioasidctl, once } from './fake-io.ts'

const env = { IOASIDCTL_SET_HANDLE: 'key-to-a' }

const wrong: [string[], RegExp][] = [
  [['alloc', '--count', '0'], /--count .* whole number from 1 to 65536/],
  [['alloc', '--count', '-1'], /--count .* whole number from 1 to 65536/],
  [['alloc', '--count', '1.5'], /--count .* whole number from 1 to 65536/],
  [['alloc', '--count', '4x'], /--count .* whole number from 1 to 65536/],
  [['alloc', '--count', ''], /--count .* whole number from 1 to 65536/],
  [['alloc', '--count', '1e3'], /--count .* whole number from 1 to 65536/],
  [['alloc', '--min', '4294967296'], /--min .* whole number from 0 to 4294967295/],
  [['alloc', '--spids', '1,,2'], /--spids .* whole numbers from 0 to 4294967294/i],
  [['set', 'create', '--quota', 'many'], /--quota .* whole number from 0 to 4294967295/],
  [['set', 'create', ''], /the token is empty/],
  [['set', 'adjust'], /--quota/],
  [['free', 'seven'], /ioasids.* whole number from 0 to 4294967295/],
  [['free'], /which ids/],
  [['free', '7', '--all'], /which ids/],
  [['free', '--all', '--generation', '3'], /--generation/],
  [['free', '7', '--generation', '18446744073709551616'], /--generation .* 18446744073709551615/],
  [['attach', '7', '--spid', '4294967295'], /--spid .* whole number from 0 to 4294967294/],
  [['attach', '--spid', '1'], /missing required argument 'ioasid'/],
  [['get'], /give an id, or --spid/],
  [['get', '7', '--token', 'vm-a'], /--token goes with --spid/],
  [['get', '7', '8'], /too many arguments/],
  [['list', '--token', 'vm-a', '--set-handle', 'x'], /not both/],
  [['list', '--token', ''], /--token is empty/],
  [['set', 'list', '-o', 'xml'], /Allowed choices are table, wide, json, jsonl, yaml, name/],
  [['set', 'list', '--deadline', '5'], /--deadline .* 1ms to 24h/],
  [['watch'], /--token, --set-handle or --all/],
  [['watch', '--all', '--token', 'vm-a'], /--all/],
  [['watch', '--all', '--types', 'BIND,BOUND'], /--types .* SET_ALLOC, SET_FREE/],
  [['watch', '--all', '--snapshot', '--after-revision', '3'], /--snapshot.*--after-revision/],
  [['watch', '--all', '-o', 'name'], /table, json, jsonl and yaml/],
  [['watch', '--all', '--count', '0'], /--count/],
  [['watch', '--all', '--timeout', '0s'], /--timeout .* 1ms to 24h/],
  [['watch', '--all', '--hold', '--priority', 'GPU'], /--priority .* CPU, IOMMU, DEVICE/],
  [['watch', '--all', '--priority', 'CPU'], /--priority goes with --hold/],
  [['watch', '--all', '--ttl', '5s'], /--ttl goes with --hold/],
  [['watch', '--all', '--hold', '--ttl', '99ms'], /--ttl .* 100ms to 24h/],
  [['watch', '--all', '--hold', '--types', 'BIND,UNBIND'], /--types .* BIND, UNBIND, FREE.*--hold/],
  [['watch', '--all', '--hold', '--snapshot', '--after-revision', '3'], /--snapshot.*--after-revision/],
  [['watch', '--hold'], /--token, --set-handle or --all/],
  [['frobnicate'], /unknown command 'frobnicate'/],
  [['set', 'list', '--frobnicate'], /unknown option '--frobnicate'/],
]

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
  ['status'],
  ['health'],
  ['top'],
  ['check'],
  ['check', 'perf'],
  ['completion'],
  ['version'],
]

describe('a wrong use', () => {
  it.each(wrong)('%j is told what would be right, and nothing is sent', async (argv, sentence) => {
    const world = argv[0] === 'watch' ? {} : { env }
    const { code, out, err, calls } = await once(world, ...argv)
    expect({ code, out, calls }).toEqual({ code: 2, out: '', calls: [] })
    expect(err).toMatch(sentence)
  })

  it('is to name no set where one is needed', async () => {
    for (const argv of [['set', 'delete'], ['alloc'], ['free', '7'], ['attach', '7', '--spid', '1'], ['list']]) {
      const { code, err } = await once({}, ...argv)
      expect({ argv, code }).toEqual({ argv, code: 2 })
      expect(err).toContain('IOASIDCTL_SET_HANDLE')
    }
  })
})

describe('help', () => {
  it.each(commands.map((argv) => ({ argv, name: argv.join(' ') })))('of $name has examples', async ({ argv, name }) => {
    const { code, out, err } = await once({}, ...argv, '--help')
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toContain('Usage: ioasidctl')
    if (argv.length > 1 || !['set', 'lease', 'check'].includes(name))
      expect(out).toContain(`Examples:\n  ioasidctl ${argv.join(' ')}`)
  })

  it('has all commands and all exit codes', async () => {
    const { out } = await once({}, '--help')
    const [section = ''] = /(?<=\nCommands:\n)(.+\n)+/.exec(out) ?? []
    const listed = [...section.matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name)
    expect(new Set(listed)).toEqual(new Set([...commands.map(([name]) => name), 'help']))
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
    expect(err).toBe(`error: ${reason ?? status}: because\n`)
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
