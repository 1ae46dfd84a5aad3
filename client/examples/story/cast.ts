/** The cast of the life cycle: one VM's programs, a subscriber, and a storyteller who asks the daemon after each step. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Client,
  connect,
  IoasidError,
  type IoasidInfo,
  type IoasidNotification,
  type Subscription,
} from '../../index.ts'
import type { Actor, Stage, Voice } from './stage.ts'

const VM = 'vm-a'
const PATIENCE_MS = 10_000

/** The lease of who dies in the story, in ms: the story waits for its end. */
export const SHORT_TTL_MS = 1_000

export interface Cast {
  readonly stage: Stage
  /** What a subscriber hears who holds nothing. */
  readonly events: Pick<Voice, 'says'>
  readonly startIommuDriver: () => Promise<Actor>
  readonly startKvm: (ttlMs?: number) => Promise<Actor>
  readonly startDeviceModel: (ttlMs?: number) => Promise<Actor>
  /** Resolves when it has made the VM's set. */
  readonly startVmm: (ttlMs?: number) => Promise<Actor>
  /** Tells how many references an id has, whose they are, and who of them has yet to acknowledge its teardown. */
  readonly ask: (ioasid: number) => Promise<void>
  /** The same as soon as there are so many: no event tells of an acknowledgement that leaves other holders. */
  readonly askWhen: (ioasid: number, references: number) => Promise<void>
  readonly askForSet: () => Promise<void>
}

export async function withCast(stage: Stage, tellScenes: (cast: Cast) => Promise<void>): Promise<void> {
  const client = connect({ endpoint: stage.endpoint })
  const events = stage.voice('events')
  const example = stage.voice('example')
  const subscription = client.subscribe({ tokens: [VM], start: 'now', progress: true })
  // The first item says that it has begun.
  await subscription.next()
  const watching = watch(subscription, events)

  const handleFile = stage.path('set-handle')
  const start = async (name: string, program: string, firstLine: string, ...args: readonly (string | number)[]) => {
    const actor = stage.start(name, program, stage.endpoint, VM, ...args.map(String))
    await actor.says(firstLine)
    return actor
  }
  const cast: Cast = {
    stage,
    events,
    startIommuDriver: () => start('iommu driver', 'iommu-driver.js', 'ready', handleFile),
    startKvm: (ttlMs = 10_000) => start('kvm', 'kvm.js', 'ready', ttlMs),
    startDeviceModel: (ttlMs = 10_000) => start('device model', 'device-model.js', 'ready', ttlMs),
    startVmm: async (ttlMs = 10_000) => {
      const vmm = await start('vmm', 'vmm.js', 'made set', handleFile, ttlMs)
      await events.says('SET_ALLOC')
      return vmm
    },
    ask: async (ioasid) => example.say(`host PASID ${ioasid}: ${describeId(await find(client, ioasid))}`),
    askWhen: async (ioasid, references) => {
      const info = await findWhen(client, ioasid, references)
      example.say(`host PASID ${ioasid}: ${describeId(info)}`)
    },
    askForSet: async () => example.say(`set of ${VM}: ${await describeSet(client)}`),
  }
  try {
    await Promise.race([tellScenes(cast), watching])
  } finally {
    await client.close()
  }
}

/** One line for each revision: what is in it happens at once. */
async function watch(subscription: Subscription, events: Voice): Promise<void> {
  for await (const item of subscription) {
    if (item.kind !== 'revision') continue
    events.say(`revision ${String(item.revision).padStart(2)}: ${item.notifications.map(describeEvent).join(', ')}`)
  }
}

function describeEvent({ type, spid, ioasid }: IoasidNotification): string {
  if (spid !== undefined) return `${type} ${spid}→${ioasid}`
  return ioasid === undefined ? type : `${type} ${ioasid}`
}

function describeId(info: IoasidInfo | undefined): string {
  if (info === undefined) return 'free'
  const holders = info.holders.map(({ name, awaitingRevision }) =>
    awaitingRevision === undefined ? name : `${name} (awaited)`,
  )
  const whose = holders.length === 0 ? '' : `: ${holders.join(', ')}`
  return `references ${info.references}, ${info.state}${whose}`
}

async function find(client: Client, ioasid: number): Promise<IoasidInfo | undefined> {
  return await unless('IOASID_NOT_FOUND', client.getIoasid({ ioasid }))
}

async function findWhen(client: Client, ioasid: number, references: number): Promise<IoasidInfo | undefined> {
  for (const sinceMs = Date.now(); ; await sleep(10)) {
    const info = await find(client, ioasid)
    if (info?.references === references) return info
    if (Date.now() - sinceMs > PATIENCE_MS)
      throw new Error(`host PASID ${ioasid}: ${describeId(info)}; not ${references} in ${PATIENCE_MS / 1000} s.`)
  }
}

async function describeSet(client: Client): Promise<string> {
  const set = await unless('SET_NOT_FOUND', client.getSet({ token: VM }))
  if (set === undefined) return 'gone'
  let references = 0
  for await (const info of client.listIoasids({ token: VM })) references += info.references
  return `references ${references}, ${set.state}: PASIDs ${set.allocated}, pending ${set.freePending}`
}

async function unless<Answer>(reason: string, answer: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof IoasidError && error.reason === reason) return undefined
    throw error
  }
}
