import { type Command, Option } from 'commander'
import type { CallOptions, Client, DaemonStatus, IoasidSet, LeaseInfo } from '../index.ts'
import { durationFrom } from './arguments.ts'
import { eventLine } from './event-line.ts'
import { isIoasidError } from './failure.ts'
import { dataText, isData } from './output.ts'
import { type Io, type Session, type Terminal, usage, withClient } from './run.ts'
import { type TopFacts, topPage } from './top-page.ts'

/** Of a host with more, the first ones by number are looked at. */
const MAX_SETS = 10_000
const MAX_LEASES = 1000
const MAX_EVENTS = 100
/** In a pipe: as many lines as fit nobody's terminal. */
const PLAIN = { columns: 1000, rows: 200 }

export function addTopCommand(program: Command, io: Io): void {
  program
    .command('top')
    .description(
      'Shows the space, its sets by use, leases, rates and the latest events, again and again; once if not on a terminal.',
    )
    .addOption(
      new Option('--interval <duration>', 'how often: 500ms, 2s').argParser(durationFrom(100)).default(2000, '2s'),
    )
    .addHelpText('after', '\nExamples:\n  ioasidctl top\n  ioasidctl top --interval 500ms\n  ioasidctl top | head -4')
    .action(({ interval }: { readonly interval: number }, command: Command) =>
      withClient(
        io,
        command,
        async (session) => {
          const { output } = session
          if (output.format === 'name')
            usage(command, '-o name, -q: a page has no names; table, wide, json, jsonl and yaml are allowed.')
          if (!isData(output.format) && io.terminal !== undefined) return await live(io, session, io.terminal, interval)
          const seen = await look(session.client, session.call)
          if (isData(output.format)) return output.write(dataText(output.format, seen))
          const page = topPage({ ...seen, changesPerSecond: undefined, events: [], stale: undefined }, PLAIN)
          output.write(page.map((line) => `${line}\n`).join(''))
        },
        { isLive: true },
      ),
    )
}

type Look = Pick<TopFacts, 'status' | 'sets' | 'leases'>

async function look(client: Client, call: CallOptions): Promise<Look> {
  const status: DaemonStatus = await client.getStatus(call)
  const sets: IoasidSet[] = await take(client.listSets({}, call), MAX_SETS)
  const leases: LeaseInfo[] = await take(client.listLeases({}, call), MAX_LEASES)
  return {
    status,
    sets: sets.sort((a, b) => b.allocated - a.allocated || Number(a.setId - b.setId)),
    leases: leases.sort((a, b) => b.references - a.references || Number(a.leaseId - b.leaseId)),
  }
}

async function take<Item>(items: AsyncIterable<Item>, most: number): Promise<Item[]> {
  const taken: Item[] = []
  for await (const item of items) {
    taken.push(item)
    if (taken.length === most) break
  }
  return taken
}

/** The other screen, without a cursor; and back. */
const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'

async function live(io: Io, session: Session, terminal: Terminal, intervalMs: number): Promise<void> {
  const { client } = session
  // Whoever looks at a page that stands still wants to know at once why.
  const call: CallOptions = { ...session.call, deadlineMs: Math.max(1000, intervalMs) }
  const events: string[] = []
  const ended = new AbortController()
  const following = follow(client, AbortSignal.any([io.interrupted, ended.signal]), events)
  let last: (Look & { readonly atMs: number }) | undefined
  let changesPerSecond: number | undefined
  io.out(ENTER)
  try {
    while (!io.interrupted.aborted) {
      let stale: string | undefined
      try {
        const seen = { ...(await look(client, call)), atMs: io.monotonicMs() }
        if (last !== undefined) {
          changesPerSecond = (Number(seen.status.revision - last.status.revision) * 1000) / (seen.atMs - last.atMs)
        }
        last = seen
      } catch (error) {
        if (io.interrupted.aborted) return
        // The first page is all or nothing; after that it waits for the daemon to come back.
        if (last === undefined || !isIoasidError(error)) throw error
        stale = `${error.code}: ${error.message}`
      }
      const page = topPage({ ...last, changesPerSecond, events, stale }, terminal.size())
      // Over the page before, line by line: a screen that is cleared first would flicker.
      io.out(`\x1b[H${page.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`)
      await terminal.wait(intervalMs, io.interrupted)
    }
  } finally {
    io.out(LEAVE)
    ended.abort()
    await following
  }
}

/** The newest events, for as long as the page is shown. */
async function follow(client: Client, signal: AbortSignal, events: string[]): Promise<void> {
  try {
    for await (const item of client.subscribe({ all: true, start: 'now', signal })) {
      if (!('notifications' in item)) continue
      events.unshift(...item.notifications.slice(-MAX_EVENTS).reverse().map(eventLine))
      events.splice(MAX_EVENTS)
    }
  } catch (error) {
    // Who may not see them sees everything else.
    if (!signal.aborted) events.unshift(error instanceof Error ? error.message : String(error))
  }
}
