import type { Command, Decision } from '../../server/core/command.ts'
import { type Failure, isFailure } from '../../server/core/failure.ts'
import { asIoasid, asSetId, asSpid, NO_SET, type SetId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import { BEFORE_ALL, findBySpid, getIoasid, getSet, listIoasids, listSets, status } from '../../server/core/query.ts'
import { ripen } from '../../server/core/rest.ts'
import type { SpaceConfig } from '../../server/core/state.ts'
import { CONFIG, type Running, restore, start, submit } from '../support/space.ts'
import { printEvent, printIoasidView, printRefusal, printSetView } from './scenario-print.ts'

/**
 * A story in test/core/scenarios: comments, and blocks of commands with, after `----`, what they print. A set is named by
 * its token, also after its end (its handle is then presented), or by its number, `#3`.
 */
export interface Told {
  /** The story as it should be written. */
  readonly text: string
  readonly refusals: readonly Failure[]
  readonly running: Running
}

interface Teller {
  running: Running
  readonly setIds: Map<string, SetId>
  readonly refusals: Failure[]
}

/** `allocate vm-a count=3`: a verb, what stands by itself, and what has a name. */
interface Line {
  readonly verb: string
  readonly words: readonly string[]
  readonly options: ReadonlyMap<string, string>
}

export function tellScenario(text: string): Told {
  const teller: Teller = { running: start(), setIds: new Map(), refusals: [] }
  const blocks = text
    .trimEnd()
    .split('\n\n')
    .map((block) => tellBlock(teller, block))
  return { text: `${blocks.join('\n\n')}\n`, refusals: teller.refusals, running: teller.running }
}

function tellBlock(teller: Teller, block: string): string {
  const lines = block.split('\n')
  const end = lines.indexOf('----')
  const given = end < 0 ? lines : lines.slice(0, end)
  const commands = given.filter((line) => line !== '' && !line.startsWith('#'))
  if (commands.length === 0) return block
  const printed = commands.flatMap((command) => {
    const output = tellLine(teller, parse(command))
    const wrong = violations(teller.running.state)
    if (wrong.length > 0) throw new Error(`after ${command}: ${wrong.join('; ')}`)
    return output
  })
  return [...given, '----', ...printed].join('\n')
}

function parse(command: string): Line {
  const [verb = '', ...rest] = command.split(/ +/)
  const options = new Map<string, string>()
  const words: string[] = []
  for (const word of rest) {
    const at = word.indexOf('=')
    if (at < 0) words.push(word)
    else options.set(word.slice(0, at), word.slice(at + 1))
  }
  return { verb, words, options }
}

function tellLine(teller: Teller, line: Line): string[] {
  const { words, options, verb } = line
  switch (verb) {
    case 'space':
      teller.running = start(configOf(CONFIG, options))
      return [`${teller.running.state.space.available} ids to hand out`]
    case 'restart':
      return restart(teller, options)
    case 'wait':
      teller.running.nowMs += milliseconds(words[0] ?? '')
      ripen(teller.running.state, teller.running.nowMs)
      return [`${teller.running.nowMs / 1000} s`]
    case 'get-set':
    case 'list-sets':
    case 'get':
    case 'find':
    case 'list':
    case 'status':
      return look(teller, line)
    default:
      return change(teller, commandOf(teller, line))
  }
}

function change(teller: Teller, command: Command): string[] {
  const decision: Decision = submit(teller.running, command)
  if (isFailure(decision)) return refused(teller, decision)
  if (decision.events.length === 0) return ['nothing changed']
  const { revision } = teller.running.state
  for (const { kind, set } of decision.events) if (kind === 'SET_ALLOC') teller.setIds.set(set.token, set.setId)
  return decision.events.map((event) => `r${revision} ${printEvent(event)}`)
}

function refused(teller: Teller, failure: Failure): string[] {
  teller.refusals.push(failure)
  return [printRefusal(failure)]
}

function commandOf(teller: Teller, { verb, words, options }: Line): Command {
  const setId = setOf(teller, words[0])
  const ioasids = words.slice(1).map((word) => asIoasid(Number(word)))
  const ioasid = ioasids[0] ?? asIoasid(0)
  const device = options.get('device') ?? ''
  switch (verb) {
    case 'create-set':
      return {
        kind: 'create_set',
        token: words[0] ?? '',
        quota: numberOf(options, 'quota', 0),
        leased: options.has('lease'),
      }
    case 'adjust-quota':
      return { kind: 'adjust_quota', setId, quota: numberOf(options, 'quota', 0) }
    case 'delete-set':
      return { kind: 'delete_set', setId, force: words.includes('force') }
    case 'allocate': {
      const spids =
        options
          .get('spids')
          ?.split(',')
          .map((spid) => asSpid(Number(spid))) ?? null
      const count = numberOf(options, 'count', spids?.length ?? 1)
      const max = numberOf(options, 'max', teller.running.state.config.capacity - 1)
      return {
        kind: 'allocate',
        setId,
        count,
        min: numberOf(options, 'min', 0),
        max,
        spids,
        privateData: dataOf(options),
      }
    }
    case 'free':
      return {
        kind: 'free',
        setId,
        ioasids,
        generation: options.has('generation') ? numberOf(options, 'generation', 0) : null,
      }
    case 'free-all':
      return { kind: 'free_all', setId }
    case 'attach':
      return { kind: 'attach_spid', setId, ioasid, spid: asSpid(numberOf(options, 'spid', 0)), device }
    case 'detach':
      return { kind: 'detach_spid', setId, ioasid, device }
    case 'attach-data':
      return { kind: 'attach_data', setId, ioasid, privateData: dataOf(options) ?? new Uint8Array(1) }
    case 'detach-data':
      return { kind: 'detach_data', setId, ioasid }
    default:
      throw new Error(`no such command: ${verb}`)
  }
}

function look(teller: Teller, { verb, words, options }: Line): string[] {
  const { state } = teller.running
  const show = <Value extends object>(value: Value | Failure, print: (value: Value) => string): string[] =>
    isFailure(value) ? refused(teller, value) : [print(value)]
  const limit = numberOf(options, 'page-size', 100)
  switch (verb) {
    case 'get-set':
      return show(getSet(state, { setId: setOf(teller, words[0]) }), printSetView)
    case 'get': {
      const presented = options.has('set') ? setOf(teller, options.get('set')) : undefined
      return show(getIoasid(state, Number(words[0]), presented), printIoasidView)
    }
    case 'find': {
      const ref = { setId: setOf(teller, words[0]) }
      const spid = asSpid(numberOf(options, 'spid', 0))
      return show(findBySpid(state, ref, spid, options.has('lease')), printIoasidView)
    }
    case 'list-sets': {
      const page = listSets(state, options.get('prefix') ?? '', asSetId(numberOf(options, 'after', 0)), limit)
      return [...page.items.map(printSetView), page.more ? `more after=${page.items.at(-1)?.setId}` : 'no more']
    }
    case 'list': {
      const [generation, ioasid] = options.get('after')?.split('/').map(Number) ?? []
      const after = generation === undefined || ioasid === undefined ? BEFORE_ALL : { generation, ioasid }
      const page = listIoasids(state, { setId: setOf(teller, words[0]) }, after, limit)
      if (isFailure(page)) return refused(teller, page)
      const last = page.items.at(-1)
      return [
        ...page.items.map(printIoasidView),
        page.more ? `more after=${last?.generation}/${last?.ioasid}` : 'no more',
      ]
    }
    default:
      return [
        Object.entries(status(state))
          .map(([key, value]) => `${key}=${value}`)
          .join(' '),
      ]
  }
}

function restart(teller: Teller, options: ReadonlyMap<string, string>): string[] {
  const { running } = teller
  const state = restore(undefined, running.log, configOf(running.state.config, options))
  if ('contradiction' in state) return [`does not start: ${state.contradiction}`]
  ripen(state, running.nowMs)
  running.state = state
  return ['serves']
}

function configOf(config: SpaceConfig, options: ReadonlyMap<string, string>): SpaceConfig {
  const reserved = options.get('reserved')
  const delay = options.get('reuse-delay')
  const policy = options.get('policy') ?? config.policy
  return {
    capacity: numberOf(options, 'capacity', config.capacity),
    reserved: reserved === undefined ? config.reserved : reserved.split(',').map(rangeOf),
    policy: policy === 'lowest' ? 'lowest' : 'rested',
    reuseDelayMs: delay === undefined ? config.reuseDelayMs : milliseconds(delay),
    maxSets: numberOf(options, 'max-sets', config.maxSets),
    maxPrivateData: numberOf(options, 'max-private-data', config.maxPrivateData),
    maxDevicesPerId: numberOf(options, 'max-devices', config.maxDevicesPerId),
  }
}

function rangeOf(text: string): readonly [number, number] {
  const [first = 0, last = first] = text.split('-').map(Number)
  return [first, last]
}

/** By its number, or by its token, of which the newest set is meant; otherwise the handle of nothing. */
function setOf({ setIds }: Teller, name = ''): SetId {
  return name.startsWith('#') ? asSetId(Number(name.slice(1))) : (setIds.get(name) ?? NO_SET)
}

function numberOf(options: ReadonlyMap<string, string>, name: string, absent: number): number {
  const text = options.get(name)
  return text === undefined ? absent : Number(text)
}

function dataOf(options: ReadonlyMap<string, string>): Uint8Array | null {
  const text = options.get('data')
  return text === undefined ? null : new TextEncoder().encode(text)
}

function milliseconds(text: string): number {
  return text.endsWith('ms') ? Number(text.slice(0, -2)) : Number(text.slice(0, -1)) * 1000
}
