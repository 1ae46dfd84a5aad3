import { serviceDefinition } from '../../../proto/load.ts'
import { openLoader } from '../load/load.ts'
import { subscribeRequest } from '../load/subscriber.ts'
import { openWire, type Wire } from '../load/wire.ts'
import { type DaemonSet, startDaemonSet } from '../servers/daemon-set.ts'
import { CONNECTIONS, IN_FLIGHT } from './allocating.ts'

const { CreateSet } = serviceDefinition('ioasid.v1.SetService')
const { Subscribe } = serviceDefinition('ioasid.v1.NotificationService')

/** Its hundredth is more than a round of a second allocates. */
const CAPACITY = 4_194_304
const STREAMS_OF_A_CONNECTION = 100
/** The most that one Allocate takes. */
const LARGEST_COUNT = 65_536

/** A daemon whose sets, subscribers and fill grow beside the set that is loaded. */
export interface Grown extends DaemonSet {
  /** Until there are so many sets, the loaded one counted. */
  readonly growSets: (count: number) => Promise<void>
  /** Until there are so many, each of the token of another set, which may not be there yet. */
  readonly growSubscribers: (count: number) => Promise<void>
  /** Until so much of the space is allocated, 0 to 0.99, by another set. */
  readonly fill: (part: number) => Promise<void>
}

export async function startGrown(): Promise<Grown> {
  const args = ['--store', 'lmdb', '--capacity', String(CAPACITY), '--max-sets', '200000']
  const set = await startDaemonSet(args)
  const wires: Wire[] = []
  let sets = 1
  let subscribers = 0
  let filled: { readonly setHandle: string; readonly ids: number } | undefined
  return {
    ...set,
    growSets: async (count) => {
      const loader = await openLoader(set.address, CONNECTIONS)
      const request = (): Buffer => {
        sets += 1
        return CreateSet.requestSerialize({ token: `set-${sets}` })
      }
      const isGood = (answer: Buffer): boolean => CreateSet.responseDeserialize(answer).set !== null
      try {
        await loader.run({ path: CreateSet.path, request, isGood }, IN_FLIGHT, { calls: count - sets })
      } finally {
        loader.close()
      }
    },
    growSubscribers: async (count) => {
      while (subscribers < count) {
        const wire = await openWire(set.address)
        wires.push(wire)
        const streams = Math.min(STREAMS_OF_A_CONNECTION, count - subscribers)
        await Promise.all(
          Array.from({ length: streams }, (_, index) => subscribe(wire, `set-${subscribers + index + 2}`)),
        )
        subscribers += streams
      }
    },
    fill: async (part) => {
      filled ??= { setHandle: (await set.client.createSet({ token: 'filler' })).set.setHandle, ids: 0 }
      const { setHandle } = filled
      while (filled.ids < Math.floor(CAPACITY * part)) {
        const count = Math.min(LARGEST_COUNT, Math.floor(CAPACITY * part) - filled.ids)
        await set.client.allocate({ setHandle, count })
        filled = { setHandle, ids: filled.ids + count }
      }
    },
    stop: async () => {
      for (const wire of wires) wire.close()
      await set.stop()
    },
  }
}

/** Resolves with the HEADER; what comes later is read and forgotten. */
function subscribe(wire: Wire, token: string): Promise<void> {
  return new Promise((resolve, reject) => {
    wire.open(Subscribe.path, subscribeRequest(token), {
      onMessage: () => resolve(),
      onEnd: (error) => reject(error ?? new Error(`the subscription of ${token} was refused or ended`)),
    })
  })
}
