import { type Command, Option } from 'commander'
import type {
  Cursor,
  Interruption,
  IoasidNotification,
  SubscribeOptions,
  Subscription,
  SubscriptionItem,
} from '../index.ts'
import { MAX_NAMES } from '../limits.ts'
import { NOTIFICATION_TYPES } from '../types.ts'
import {
  anyCase,
  duration,
  durationFrom,
  name,
  notEmpty,
  PRIORITIES,
  repeated,
  repeatedName,
  typeList,
  uint64,
  wholeNumber,
} from './arguments.ts'
import { eventLine } from './event-line.ts'
import { namingTtl } from './lease-options.ts'
import { dataText, isData, type Output } from './output.ts'
import { type Io, type Session, usage, withClient } from './run.ts'
import { checkHoldFlags, type HoldFlags, type Holding, openHold } from './watch-hold.ts'

interface WatchOptions extends HoldFlags {
  readonly token?: readonly string[]
  readonly setHandle?: readonly string[]
  readonly all?: true
  readonly afterRevision?: bigint
  readonly spaceId?: string
  readonly snapshot?: true
  readonly count?: number
  /** In ms. */
  readonly timeout?: number
}

const EXAMPLES = `
A line per event: revision, type, set, and what it is about. At the end, on
standard error, where to go on. It survives a restart of the daemon. Exits
with 4 if --timeout passes before --count events have come.

With --hold it begins with the present state, and nobody else gets an id that
it has printed as bound before it has printed its UNBIND: that is acknowledged
when it is written. It holds by a lease of its own, which ends with it.

Examples:
  ioasidctl watch --token vm-a --types BIND,UNBIND
  ioasidctl watch --all --snapshot -o jsonl
  ioasidctl watch --all --after-revision 12 --count 1 --timeout 5s
  ioasidctl watch --token vm-a --hold --priority CPU`

export function addWatchCommand(program: Command, io: Io): void {
  program
    .command('watch')
    .description('Prints what happens to sets and ids, as it happens.')
    .option('--token <token>', 'a set by its token, whether it exists yet or not; repeatable', repeatedName)
    .option('--set-handle <handle>', 'a set by its handle; repeatable (default: $IOASIDCTL_SET_HANDLE)', repeatedHandle)
    .option('--all', 'every set')
    .addOption(
      new Option('--types <list>', 'only these, with commas between').choices(NOTIFICATION_TYPES).argParser(typeList),
    )
    .option(
      '--after-revision <n>',
      'begin with what came after this revision (default: now; with --hold: --snapshot)',
      uint64,
    )
    .option('--hold', 'keep each id from BIND until its teardown is printed')
    .addOption(
      new Option('--priority <who>', 'with --hold: who it is, DEVICE if not given; told in this order')
        .choices(PRIORITIES)
        .argParser(anyCase(PRIORITIES)),
    )
    .option('--ttl <duration>', 'with --hold: of its lease: 500ms, 5s, 1m (default: 10s)', durationFrom(100))
    .addOption(new Option('--snapshot', 'begin with the present state').conflicts('afterRevision'))
    .option('--space-id <id>', 'with --after-revision: the history that it belongs to', (text) => name(notEmpty(text)))
    .option('--count <n>', 'end after this many events', wholeNumber(1, Number.MAX_SAFE_INTEGER))
    .option('--timeout <duration>', 'end after this time: 500ms, 5s, 1m', duration)
    .addHelpText('after', EXAMPLES)
    .action((options: WatchOptions, command: Command) =>
      withClient(
        io,
        command,
        async (session) => {
          const { format } = session.output
          if (format === 'name' && !session.globals.quiet)
            usage(command, '-o name: events have no names; table, json, jsonl and yaml are allowed.')
          checkHoldFlags(command, options)
          if (options.spaceId !== undefined && options.afterRevision === undefined)
            usage(command, '--space-id goes with --after-revision.')
          const names = filterOf(io, command, options)
          const holding = options.hold ? await namingTtl(openHold(io, session, options)) : undefined
          try {
            await watch(io, session, options, names, holding)
          } finally {
            await holding?.end()
          }
        },
        { isLive: true },
      ),
    )
}

function repeatedHandle(text: string, before: readonly string[] | undefined): readonly string[] {
  return repeated(notEmpty(text), before)
}

type Names = { readonly all: true } | { readonly tokens: readonly string[]; readonly setHandles: readonly string[] }

function filterOf(io: Io, command: Command, { token = [], setHandle = [], all }: WatchOptions): Names {
  const named = token.length + setHandle.length
  const isNamed = named > 0
  if (named > MAX_NAMES) usage(command, `${named} of --token and --set-handle; at most ${MAX_NAMES} are allowed.`)
  if (isNamed && all) usage(command, '--all is every set: give it alone.')
  if (isNamed) return { tokens: token, setHandles: setHandle }
  if (all) return { all }
  const handle = io.env['IOASIDCTL_SET_HANDLE']
  if (handle) return { tokens: [], setHandles: [handle] }
  return usage(command, 'which sets? Give --token, --set-handle or --all, or set IOASIDCTL_SET_HANDLE.')
}

async function watch(
  io: Io,
  session: Session,
  options: WatchOptions,
  names: Names,
  holding: Holding | undefined,
): Promise<void> {
  const { client, globals } = session
  const { types, spaceId, count, timeout } = options
  const isOver = timeout === undefined ? undefined : AbortSignal.timeout(timeout)
  const signal = AbortSignal.any([io.interrupted, isOver, holding?.signal].flatMap((each) => each ?? []))
  const subscribeOptions: SubscribeOptions = {
    ...names,
    types,
    spaceId,
    start: startOf(options),
    hold: holding?.hold,
    connectTimeoutMs: globals.deadline,
    progress: true,
    signal,
    onInterrupted: (interruption) => tellInterruption(io, session, seen, interruption),
  }
  const seen: Seen = { printed: 0, cursor: undefined, state: 'waiting' }
  const subscription = client.subscribe(subscribeOptions)
  const onPrinted = async (item: SubscriptionItem): Promise<void> => {
    if (holding === undefined) return
    await io.written()
    await holding.printed(item, subscription.cursor, signal)
  }
  try {
    await printEvents(io, session, subscription, seen, count ?? Infinity, onPrinted)
  } finally {
    if (!globals.quiet && seen.state !== 'waiting') io.err(resumeLine(seen.cursor))
  }
  if (holding?.signal.aborted) throw holding.signal.reason
  if (isOver?.aborted && count !== undefined && seen.printed < count) {
    const message = `${seen.printed} of ${count} events have come within ${timeout} ms.`
    const { IoasidError } = await import('../index.ts')
    throw new IoasidError({ code: 'DEADLINE_EXCEEDED', message })
  }
}

/** What is bound already is held too, and a holder has to know of it. */
function startOf({ afterRevision, snapshot, hold }: WatchOptions): SubscribeOptions['start'] {
  if (afterRevision !== undefined) return { afterRevision }
  return snapshot || hold ? 'snapshot' : 'now'
}

interface Seen {
  printed: number
  /** Up to where everything was printed: what was cut in the middle is printed again by who goes on from here. */
  cursor: Cursor | undefined
  /** What was said last of the daemon: each attempt to reach it need not be told. */
  state: 'waiting' | 'watching' | 'interrupted'
}

async function printEvents(
  io: Io,
  { output, globals }: Session,
  subscription: Subscription,
  seen: Seen,
  count: number,
  onPrinted: (item: SubscriptionItem) => Promise<void>,
): Promise<void> {
  for await (const item of subscription) {
    // A script that waits for this line misses nothing of what it does next.
    if (seen.state === 'waiting' && !globals.quiet) io.err(`watching after revision ${item.revision}\n`)
    seen.state = 'watching'
    const events = 'notifications' in item ? item.notifications : []
    const wanted = events.slice(0, count - seen.printed)
    for (const event of wanted) output.write(eventText(output, event))
    seen.printed += wanted.length
    if (wanted.length === events.length) {
      seen.cursor = subscription.cursor
      await onPrinted(item)
    }
    if (seen.printed >= count) return
  }
}

/** For programs an event a line, or a document each. */
function eventText({ format }: Output, event: IoasidNotification): string {
  if (!isData(format)) return `${eventLine(event)}\n`
  return format === 'yaml' ? `---\n${dataText(format, event)}` : dataText('jsonl', event)
}

function tellInterruption(io: Io, { globals }: Session, seen: Seen, { why, cursor }: Interruption): void {
  if (seen.state === 'watching' && !globals.quiet) {
    io.err(
      `interrupted, going on ${cursor === undefined ? 'from the beginning' : `after revision ${cursor.revision}`}: ${why}\n`,
    )
  }
  if (seen.state === 'watching') seen.state = 'interrupted'
}

function resumeLine(cursor: Cursor | undefined): string {
  if (cursor === undefined) return 'nothing to resume from\n'
  return `resume with --after-revision ${cursor.revision} --space-id ${cursor.spaceId}\n`
}
