import { afterEach } from 'vitest'
import { makeClient } from '../../client/client.ts'
import type { Client, IoasidError, OpenPasidTableOptions, PasidTable } from '../../client/index.ts'
import type { SubscribeResponse } from '../../proto/gen/ioasid/v1/SubscribeResponse.ts'
import { type FakeStream, fakeTransport } from './fake-transport.ts'
import { manualClock, settle } from './manual-clock.ts'

const open: { close: () => Promise<void> }[] = []

afterEach(async () => {
  for (const client of open.splice(0)) await client.close()
})

/** A promise that the test ends. */
export function gate<Value = void>() {
  let pass: (value: Value) => void = () => {}
  const passed = new Promise<Value>((resolve) => {
    pass = resolve
  })
  return { passed, pass }
}

/** What the daemon answers to an Acknowledge; undefined: it takes it. */
type Answer = (revision: string) => Error | undefined | Promise<Error | undefined>

interface World {
  readonly options?: Partial<OpenPasidTableOptions>
  readonly acknowledge?: Answer
  readonly renew?: () => Error | undefined
  readonly revoke?: () => Error | undefined
}

/** A table whose handlers write down what they are told, before a daemon that says what the test says. */
export function setUpTable({ options = {}, acknowledge = () => undefined, renew, revoke }: World = {}) {
  const manual = manualClock(1)
  const log: string[] = []
  const acknowledged: string[] = []
  /** Of which history each of them was. */
  const histories: unknown[] = []
  const renewals: number[] = []
  let ttlMs = ''
  const fake = fakeTransport(async (path, request) => {
    const method = path.split('/').at(-1)
    const failure = await answer(method, request)
    if (failure !== undefined) throw failure
    return {
      lease: { lease_handle: 'key', lease_id: '5', ttl_ms: ttlMs, on_expiry: 'RELEASE', state: 'ALIVE' },
      revision: '1',
    }
  })
  const answer = (method: string | undefined, request: Record<string, unknown>) => {
    if (method === 'GrantLease') ttlMs = String(request['ttl_ms'])
    if (method === 'KeepLeaseAlive') {
      renewals.push(manual.clock.nowMs())
      return renew?.()
    }
    if (method === 'RevokeLease') {
      log.push('revoke')
      return revoke?.()
    }
    if (method !== 'Acknowledge') return undefined
    acknowledged.push(String(request['revision']))
    histories.push(request['space_id'])
    log.push(`acknowledge ${request['revision']}`)
    return acknowledge(String(request['revision']))
  }
  const client = makeClient(() => fake.transport, manual.clock)
  open.push(client)
  const errors: IoasidError[] = []
  // The filter's union does not survive Partial.
  const all = {
    tokens: ['vm-a'],
    onBind: (spid: number, ioasid: number) => void log.push(`bind ${spid} ${ioasid}`),
    onUnbind: (spid: number, ioasid: number, { why }: { why: string }) => void log.push(`${why} ${spid} ${ioasid}`),
    onError: (error: IoasidError) => errors.push(error),
    ...options,
  } as OpenPasidTableOptions
  const stream = (index: number): FakeStream => {
    const found = fake.streams[index]
    if (found === undefined) throw new Error(`only ${fake.streams.length} streams were opened`)
    return found
  }
  const opening = client.openPasidTable(all)
  // A test that does not look at it has nothing to say of it.
  opening.catch(() => {})
  return { ...manual, ...fake, client, opening, stream, log, acknowledged, histories, renewals, errors }
}

/** An open table, after what the daemon says first; the log begins after it. */
export async function openTable(world: World, ...first: SubscribeResponse[]) {
  const set = setUpTable(world)
  await settle()
  for (const message of first) set.stream(0).send(message)
  const table: PasidTable = await set.opening
  await settle()
  set.log.length = 0
  set.acknowledged.length = 0
  set.histories.length = 0
  return { ...set, table }
}

/** A table of vm-a before any daemon, that writes down what it is told. */
export async function logTable(on: Client, options: Partial<OpenPasidTableOptions> = {}) {
  const log: string[] = []
  const table = await on.openPasidTable({
    tokens: ['vm-a'],
    onBind: (spid, ioasid) => log.push(`bind ${spid} ${ioasid}`),
    onUnbind: (spid, ioasid, { why, overrun }) => log.push(`${why} ${spid} ${ioasid}${overrun ? ' overrun' : ''}`),
    // What is looked at is `closed`, later.
    onError: () => {},
    ...options,
  } as OpenPasidTableOptions)
  return { table, log }
}
