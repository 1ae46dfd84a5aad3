import { describe, expect, it } from 'vitest'
import { grpcError } from '../grpc-error.ts'
import { settle } from '../manual-clock.ts'
import { bind, change, free, header, heartbeat, SPACE, snapshotEnd, unbind } from '../messages.ts'
import { gate } from '../table.ts'
import { ioasidctl } from './fake-io.ts'

const lease = { lease_handle: 'key', lease_id: '5', on_expiry: 'RELEASE', state: 'ALIVE' }
const down = () => grpcError('UNAVAILABLE', 'connect ENOENT')
const gone = () => grpcError('NOT_FOUND', 'no such lease', { reason: 'LEASE_NOT_FOUND' })

interface World {
  /** What the daemon answers to a method; undefined: what it should. */
  readonly answer?: (method: string) => Error | undefined
  readonly written?: () => Promise<void>
}

/** A watch that holds, in the background. */
async function hold({ answer = () => undefined, written }: World, ...argv: string[]) {
  const asked: string[] = []
  let ttl_ms: unknown
  const cli = ioasidctl({
    written,
    answer: (path, request) => {
      const method = path.split('/').at(-1) ?? ''
      asked.push(method === 'Acknowledge' ? `Acknowledge ${request['revision']}` : method)
      const failure = answer(method)
      if (failure !== undefined) throw failure
      ttl_ms = request['ttl_ms'] ?? ttl_ms
      return { lease: { ...lease, ttl_ms }, revision: '1' }
    },
  } as Parameters<typeof ioasidctl>[0])
  const code = cli.run('watch', '--token', 'vm-a', '--hold', ...argv)
  await settle()
  const stream = (index: number) => {
    const found = cli.streams[index]
    if (found === undefined) throw new Error(`only ${cli.streams.length} streams were opened: ${cli.err()}`)
    return found
  }
  return { ...cli, code, stream, asked }
}

const begin = [header(10), change(10, 10, [bind(4, 7, 101, { snapshot: true })], true), snapshotEnd(10)]
const teardown = change(12, 10, [unbind(12, 7, 101, 4, { overrun: true }), free(12, 7)])

describe('watch --hold', () => {
  it('holds by a lease of its own from the present state on, acknowledges what it has printed, and revokes', async () => {
    const { code, stream, asked, calls, out, err, isClosed } = await hold({}, '--priority', 'cpu', '--count', '3')
    expect(calls[0]?.request).toMatchObject({ ttl_ms: '10000', name: 'ioasidctl watch' })
    expect(stream(0).request).toMatchObject({
      tokens: ['vm-a'],
      types: [],
      start: 'snapshot',
      hold: true,
      lease_handle: 'key',
      priority: 'CPU',
    })
    for (const message of begin) stream(0).send(message)
    await settle()
    expect(asked).toEqual(['GrantLease', 'Acknowledge 10'])
    stream(0).send(teardown)
    expect(await code).toBe(0)
    expect(asked).toEqual(['GrantLease', 'Acknowledge 10', 'Acknowledge 12', 'RevokeLease'])
    expect(calls[2]?.request).toEqual({ lease_handle: 'key', revision: '12', space_id: SPACE })
    expect(out()).toBe(`4  BIND        vm-a  ioasid 7  spid 101  snapshot
12  UNBIND      vm-a  ioasid 7  spid 101  overrun
12  FREE        vm-a  ioasid 7
`)
    expect(err()).toBe(`holding as CPU by lease 5
watching after revision 10
resume with --after-revision 12 --space-id space-1
`)
    expect(isClosed()).toBe(true)
  })

  it('shows in JSON that it was told out of turn', async () => {
    const { code, stream, out } = await hold({}, '--count', '2', '-o', 'jsonl', '--after-revision', '10')
    expect(stream(0).request).toMatchObject({ start: 'after_revision', after_revision: '10', priority: 'DEVICE' })
    stream(0).send(header(10))
    stream(0).send(teardown)
    expect(await code).toBe(0)
    const [first = '', second = ''] = out().split('\n')
    expect(JSON.parse(first)).toMatchObject({ type: 'UNBIND', overrun: true })
    expect(JSON.parse(second)).toMatchObject({ type: 'FREE', overrun: false })
  })

  it('acknowledges when the lines are written, and not before', async () => {
    const lines = gate()
    let isSlow = false
    const written = async () => {
      if (isSlow) await lines.passed
    }
    const { code, stream, asked, interrupt } = await hold({ written })
    for (const message of begin) stream(0).send(message)
    await settle()
    isSlow = true
    stream(0).send(teardown)
    await settle()
    expect(asked).not.toContain('Acknowledge 12')
    lines.pass()
    await settle()
    expect(asked).toContain('Acknowledge 12')
    interrupt.abort()
    expect(await code).toBe(130)
  })

  it('does not acknowledge a revision of which it has printed a part', async () => {
    const { code, stream, asked } = await hold({}, '--count', '2')
    for (const message of [...begin, teardown]) stream(0).send(message)
    expect(await code).toBe(0)
    expect(asked).toEqual(['GrantLease', 'Acknowledge 10', 'RevokeLease'])
  })

  it('does not acknowledge what could not be written, and revokes', async () => {
    const { code, stream, asked } = await hold({ written: () => Promise.reject(new Error('no space left')) })
    for (const message of begin) stream(0).send(message)
    expect(await code).toBe(1)
    expect(asked).toEqual(['GrantLease', 'RevokeLease'])
  })

  it('survives a daemon that is away: it goes on, and acknowledges later', async () => {
    let isAway = false
    const answer = () => (isAway ? down() : undefined)
    const { code, stream, streams, asked, advance, interrupt } = await hold({ answer }, '--ttl', '60s')
    for (const message of begin) stream(0).send(message)
    await settle()
    isAway = true
    stream(0).send(teardown)
    stream(0).end(down())
    // Longer than an acknowledgement is tried.
    await advance(30_000)
    isAway = false
    asked.length = 0
    await advance(3_000)
    expect(asked).not.toContain('Acknowledge 12')
    streams.at(-1)?.send(header(12))
    streams.at(-1)?.send(heartbeat(13, 12))
    await settle()
    expect(asked).toContain('Acknowledge 12')
    interrupt.abort()
    expect(await code).toBe(130)
    expect(asked.at(-1)).toBe('RevokeLease')
  })

  it('acknowledges nothing again of a history that is over, and leaves it to the stream to end by that', async () => {
    const changed = () => grpcError('OUT_OF_RANGE', 'another history', { reason: 'HISTORY_CHANGED' })
    const answer = (method: string) => (method === 'Acknowledge' ? changed() : undefined)
    const { code, stream, asked } = await hold({ answer })
    for (const message of begin) stream(0).send(message)
    stream(0).send(heartbeat(11, 10))
    await settle()
    expect(asked).toEqual(['GrantLease', 'Acknowledge 10'])
    stream(0).end(changed())
    expect(await code).toBe(1)
    expect(asked).toEqual(['GrantLease', 'Acknowledge 10', 'RevokeLease'])
  })

  it('revokes its lease however it ends: by the user, by its time, by an error of the stream', async () => {
    const user = await hold({})
    user.stream(0).send(header(10))
    await settle()
    user.interrupt.abort()
    expect(await user.code).toBe(130)
    expect(user.asked).toEqual(['GrantLease', 'RevokeLease'])

    const timed = await hold({}, '--timeout', '1ms')
    timed.stream(0).send(header(10))
    expect(await timed.code).toBe(0)
    expect(timed.asked).toEqual(['GrantLease', 'RevokeLease'])

    for (const [status, reason, exitCode] of [
      ['OUT_OF_RANGE', 'COMPACTED', 1],
      ['PERMISSION_DENIED', 'NOT_PERMITTED', 7],
    ] as const) {
      const refused = await hold({})
      refused.stream(0).end(grpcError(status, 'gone', { reason }))
      expect(await refused.code).toBe(exitCode)
      expect(refused.asked).toEqual(['GrantLease', 'RevokeLease'])
    }
  })

  it('ends with 3 when its lease is gone, with 4 when it could not be renewed, and has nothing to revoke then', async () => {
    const ended = await hold({})
    for (const message of begin) ended.stream(0).send(message)
    ended.stream(0).end(gone())
    expect(await ended.code).toBe(3)
    expect(ended.err()).toContain('error: LEASE_NOT_FOUND: no such lease')

    const away = await hold({ answer: (method) => (method === 'KeepLeaseAlive' ? down() : undefined) }, '--ttl', '1s')
    await away.advance(10_000)
    expect(await away.code).toBe(4)
    expect(away.err()).toContain('error: DEADLINE_EXCEEDED: The lease could not be renewed')
    expect(away.asked).not.toContain('RevokeLease')
  })

  it('says so where it could not revoke its lease, and ends as it would have', async () => {
    const { code, stream, err, advance } = await hold(
      { answer: (method) => (method === 'RevokeLease' ? down() : undefined) },
      '--count',
      '1',
      '--ttl',
      '2s',
    )
    for (const message of begin) stream(0).send(message)
    await advance(2_000)
    expect(await code).toBe(0)
    expect(err()).toContain('lease 5 is not revoked, and ends by its time: connect ENOENT\n')
  })

  it('holds nothing where its lease is refused', async () => {
    const { code, err, streams } = await hold({
      answer: () => grpcError('RESOURCE_EXHAUSTED', 'too many', { reason: 'TOO_MANY' }),
    })
    expect({ code: await code, streams }).toEqual({ code: 6, streams: [] })
    expect(err()).toBe('error: TOO_MANY: too many\n')
  })
})
