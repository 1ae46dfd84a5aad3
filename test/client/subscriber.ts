import { afterEach } from 'vitest'
import { makeClient } from '../../client/client.ts'
import type { Interruption, SubscribeOptions, Subscription, SubscriptionItem } from '../../client/subscription-types.ts'
import { type FakeStream, fakeTransport } from './fake-transport.ts'
import { manualClock } from './manual-clock.ts'

const open: Subscription[] = []

/** A reader in the background, and a daemon that says what the test says. */
export function setUp(options: Partial<SubscribeOptions> = {}) {
  const manual = manualClock(1)
  const fake = fakeTransport()
  const client = makeClient(() => fake.transport, manual.clock)
  const interruptions: Interruption[] = []
  const onInterrupted = (interruption: Interruption) => interruptions.push(interruption)
  // The filter's union does not survive Partial.
  const all = { all: true, start: 'now', progress: true, onInterrupted, ...options } as SubscribeOptions
  const subscription = client.subscribe(all)
  open.push(subscription)
  const stream = (index: number): FakeStream => {
    const found = fake.streams[index]
    if (found === undefined) throw new Error(`only ${fake.streams.length} streams were opened`)
    return found
  }
  return { ...manual, ...fake, client, subscription, interruptions, stream }
}

/** Reads on until the end; what was read, and how it ended. */
export function reading(subscription: Subscription) {
  const items: string[] = []
  let end: unknown = 'reading'
  const run = async () => {
    for await (const item of subscription) items.push(brief(item))
  }
  run().then(
    () => {
      end = 'ended'
    },
    (error: unknown) => {
      end = error
    },
  )
  return { items, end: () => end }
}

function brief(item: SubscriptionItem): string {
  const ids = 'notifications' in item ? ` ${item.notifications.map(({ ioasid }) => ioasid).join(',')}` : ''
  return `${item.kind} ${item.revision}${ids}`
}

afterEach(async () => {
  for (const subscription of open.splice(0)) await subscription.return()
})
