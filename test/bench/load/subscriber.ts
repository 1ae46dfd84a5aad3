import { serviceDefinition } from '../../../proto/load.ts'
import { countField } from './count-field.ts'
import { NOTIFICATIONS_FIELD } from './ioasidd-requests.ts'
import { openWire } from './wire.ts'

const { Subscribe } = serviceDefinition('ioasid.v1.NotificationService')

const WAIT_MS = 30_000

/** Reads a token's stream and counts, without decoding what it is told: it costs the load's process next to nothing. */
export interface Subscriber {
  /** How many notifications so far. */
  readonly told: () => number
  /** Rejects where that takes longer than 30 s, or the stream ends. */
  readonly untilTold: (count: number) => Promise<void>
  readonly close: () => void
}

/** Resolves when the subscription counts. */
export async function openSubscriber(address: string, token: string): Promise<Subscriber> {
  const wire = await openWire(address)
  let told = 0
  let ended: Error | undefined
  let wake = (): void => {}
  await new Promise<void>((resolve, reject) => {
    wire.open(Subscribe.path, subscribeRequest(token), {
      onMessage: (message) => {
        told += countField(message, NOTIFICATIONS_FIELD)
        // The first one is HEADER.
        resolve()
        wake()
      },
      onEnd: (error) => {
        ended = error ?? new Error(`the subscription of ${token} was refused or ended`)
        reject(ended)
        wake()
      },
    })
  })
  return {
    told: () => told,
    untilTold: async (count) => {
      const deadline = performance.now() + WAIT_MS
      while (told < count) {
        if (ended !== undefined) throw ended
        if (performance.now() > deadline) throw new Error(`told of ${told} in place of ${count} within ${WAIT_MS} ms`)
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, 1_000)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
    },
    close: wire.close,
  }
}

/** From now on, with the rarest heartbeats. */
export function subscribeRequest(token: string): Buffer {
  return Subscribe.requestSerialize({ tokens: [token], now: true, heartbeat_ms: 60_000 })
}
