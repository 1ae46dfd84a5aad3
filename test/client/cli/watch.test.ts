import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { grpcError } from '../grpc-error.ts'
import { settle } from '../manual-clock.ts'
import { events, header, heartbeat, snapshotEnd } from '../messages.ts'
import { ioasidctl } from './fake-io.ts'

/** A watch in the background, and the daemon's end of its streams. */
async function watch(env: Record<string, string>, ...argv: string[]) {
  const cli = ioasidctl({ env })
  const code = cli.run('watch', ...argv)
  await settle()
  const stream = (index: number) => {
    const found = cli.streams[index]
    if (found === undefined) throw new Error(`only ${cli.streams.length} streams were opened`)
    return found
  }
  return { ...cli, code, stream }
}

const all = {
  ...events(14, 13, []),
  notifications: [
    { type: 'SET_ALLOC', revision: '14', set_id: '5', quota: 16 },
    { type: 'ALLOC', revision: '14', token: 'vm-a', set_id: '1', ioasid: 8, generation: '14' },
    {
      type: 'UNBIND',
      revision: '14',
      token: 'vm-a',
      set_id: '1',
      ioasid: 7,
      generation: '1',
      spid: 107,
      bind_revision: '12',
      overrun: true,
    },
    { type: 'SET_FREE', revision: '14', token: 'vm-b', set_id: '2' },
  ],
} as const

describe('watch', () => {
  it('prints a line for each event at once, and at the end where to go on', async () => {
    const { code, stream, out, err } = await watch({}, '--token', 'vm-a', '--types', 'bind,UNBIND', '--count', '6')
    expect(stream(0).request).toMatchObject({ tokens: ['vm-a'], start: 'now', types: ['BIND', 'UNBIND'] })
    stream(0).send(header(10))
    stream(0).send(events(12, 10, [7]))
    await settle()
    expect(out()).toBe('12  BIND        vm-a  ioasid 7  spid 107\n')
    stream(0).send(events(13, 12, [8]))
    stream(0).send(all)
    expect(await code).toBe(0)
    expect(out()).toBe(`12  BIND        vm-a  ioasid 7  spid 107
13  BIND        vm-a  ioasid 8  spid 108
14  SET_ALLOC   #5  quota 16
14  ALLOC       vm-a  ioasid 8
14  UNBIND      vm-a  ioasid 7  spid 107  overrun
14  SET_FREE    vm-b
`)
    expect(err()).toBe('watching after revision 10\nresume with --after-revision 14 --space-id space-1\n')
    expect(stream(0).isCancelled()).toBe(true)
  })

  it('that stops in the middle of a revision goes on before it', async () => {
    const { code, stream, out, err } = await watch({}, '--all', '--count', '2')
    stream(0).send(header(10))
    stream(0).send(events(12, 10, [7]))
    stream(0).send(events(13, 12, [8, 9]))
    expect(await code).toBe(0)
    expect(out().trimEnd().split('\n')).toHaveLength(2)
    expect(err()).toContain('resume with --after-revision 12 ')
  })

  it('begins where it is told to', async () => {
    const after = await watch({}, '--all', '--after-revision', '12', '--space-id', 's')
    expect(after.stream(0).request).toMatchObject({ start: 'after_revision', after_revision: '12', space_id: 's' })
    const snapshot = await watch({ IOASIDCTL_SET_HANDLE: 'key' }, '--snapshot', '--count', '2')
    expect(snapshot.stream(0).request).toMatchObject({ start: 'snapshot', set_handles: ['key'] })
    const told = { ...events(10, 10, [7], true).notifications?.[0], revision: '10', snapshot: true }
    snapshot.stream(0).send(header(10))
    snapshot.stream(0).send({ ...events(10, 10, [], true), notifications: [told] })
    snapshot.stream(0).send(snapshotEnd(10))
    snapshot.stream(0).send(events(11, 10, [8]))
    expect(await snapshot.code).toBe(0)
    expect(snapshot.out()).toBe(
      '10  BIND        vm-a  ioasid 7  spid 107  snapshot\n11  BIND        vm-a  ioasid 8  spid 108\n',
    )
    for (const { interrupt, code } of [after]) {
      interrupt.abort()
      expect(await code).toBe(130)
    }
  })

  it('prints JSON for each event', async () => {
    for (const format of ['json', 'jsonl']) {
      const { code, stream, out } = await watch({}, '--all', '--count', '1', '-o', format)
      stream(0).send(header(10))
      stream(0).send(events(12, 10, [7]))
      expect(await code).toBe(0)
      expect(JSON.parse(out())).toEqual({
        type: 'BIND',
        revision: '12',
        token: 'vm-a',
        setId: '1',
        snapshot: false,
        ioasid: 7,
        generation: '1',
        spid: 107,
        bindRevision: '12',
      })
      expect(out().split('\n')).toHaveLength(2)
    }
  })

  it('prints a YAML document for each event', async () => {
    const { code, stream, out } = await watch({}, '--all', '--count', '2', '-o', 'yaml')
    stream(0).send(header(10))
    stream(0).send(events(12, 10, [7, 8]))
    expect(await code).toBe(0)
    const documents = out().split('---\n').slice(1)
    expect(documents.map((text) => parse(text))).toMatchObject([{ ioasid: 7 }, { ioasid: 8, revision: '12' }])
  })

  it('survives a restart of the daemon, and says so', async () => {
    const { code, stream, out, err, advance } = await watch({}, '--all', '--count', '2')
    stream(0).send(header(10))
    stream(0).send(events(12, 10, [7]))
    stream(0).end(grpcError('UNAVAILABLE', 'going down'))
    await advance(100)
    stream(1).send(header(12))
    stream(1).send(events(13, 12, [8]))
    expect(await code).toBe(0)
    expect(out().trimEnd().split('\n')).toHaveLength(2)
    expect(err()).toContain('interrupted, going on after revision 12: going down\n')
  })

  it('says nothing but events when it is to be quiet', async () => {
    const { code, stream, out, err, advance } = await watch({}, '--all', '--count', '1', '-q')
    stream(0).end(grpcError('UNAVAILABLE', 'going down'))
    await advance(100)
    stream(1).send(header(10))
    stream(1).send(events(12, 10, [7]))
    expect(await code).toBe(0)
    expect(out()).toBe('12  BIND        vm-a  ioasid 7  spid 107\n')
    expect(err()).toBe('')
  })

  it('says no more with a format for programs either', async () => {
    const { code, stream, out, err } = await watch({}, '--all', '--count', '1', '-q', '-o', 'jsonl')
    stream(0).send(header(10))
    stream(0).send(events(12, 10, [7]))
    expect(await code).toBe(0)
    expect(JSON.parse(out())).toMatchObject({ type: 'BIND', ioasid: 7 })
    expect(err()).toBe('')
  })

  it('ends with 7 when a new policy does not allow it any more, asks no more, and still says where to go on', async () => {
    const { code, stream, streams, out, err, advance } = await watch({}, '--token', 'vm-a')
    stream(0).send(header(10))
    stream(0).send(events(12, 10, [7]))
    stream(0).end(grpcError('PERMISSION_DENIED', 'no', { reason: 'NOT_PERMITTED' }))
    await advance(60_000)
    expect(await code).toBe(7)
    expect(streams).toHaveLength(1)
    expect(out()).toBe('12  BIND        vm-a  ioasid 7  spid 107\n')
    expect(err()).toContain('resume with --after-revision 12 --space-id space-1\nerror: NOT_PERMITTED: no\n')
  })

  it('ends after its time: well without a count, and else with 4', async () => {
    for (const [argv, exitCode] of [
      [['--timeout', '1ms'], 0],
      [['--timeout', '1ms', '--count', '3'], 4],
    ] as const) {
      const { code, stream, err } = await watch({}, '--all', ...argv)
      stream(0).send(header(10))
      stream(0).send(heartbeat(15, 10))
      expect(await code).toBe(exitCode)
      if (exitCode === 4) expect(err()).toContain('error: DEADLINE_EXCEEDED: 0 of 3 events')
    }
  })

  it('ends with 130 when the user has had enough, and still says where to go on', async () => {
    const { code, stream, err, interrupt } = await watch({}, '--all')
    stream(0).send(header(10))
    stream(0).send(heartbeat(15, 10))
    await settle()
    interrupt.abort()
    expect(await code).toBe(130)
    expect(err()).toContain('resume with --after-revision 15 ')
  })

  it('ends with 4 when no daemon is there, and with the reason when its revision is gone', async () => {
    const away = await watch({}, '--all', '--deadline', '1s')
    away.stream(0).end(grpcError('UNAVAILABLE', 'connect ENOENT'))
    await away.advance(1_000)
    expect(await away.code).toBe(4)
    expect(away.err()).toContain('error: UNAVAILABLE: connect ENOENT\n')

    const gone = await watch({}, '--all', '--after-revision', '1')
    const metadata = { compact_revision: '40' }
    gone.stream(0).end(grpcError('OUT_OF_RANGE', 'gone', { reason: 'COMPACTED', metadata }))
    expect(await gone.code).toBe(1)
    expect(gone.err()).toContain('error: COMPACTED: gone\n  compact_revision=40\n')
  })
})
