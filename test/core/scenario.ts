import { mayLook, mayLookAtId, ownLease, sees, seesLease } from '../../server/core/access.ts'
import type { Caller } from '../../server/core/caller.ts'
import type { Command, Decision } from '../../server/core/command.ts'
import { type Failure, isFailure } from '../../server/core/failure.ts'
import { asLeaseId, asSetId, asSpid, type LeaseId, type SetId } from '../../server/core/ids.ts'
import { violations } from '../../server/core/invariants.ts'
import {
  BEFORE_ALL,
  findBySpid,
  getIoasid,
  getLease,
  getSet,
  listIoasids,
  listLeases,
  listSets,
  status,
} from '../../server/core/query.ts'
import { ripen } from '../../server/core/rest.ts'
import type { SpaceConfig } from '../../server/core/state.ts'
import { CONFIG, type Running, restore, start, submit } from '../support/space.ts'
import { commandOf, type Line, leaseOf, milliseconds, numberOf, parse, refOf, setOf } from './scenario-commands.ts'
import { callerOf, policyOf } from './scenario-policy.ts'
import {
  printAnswer,
  printEvent,
  printIoasidView,
  printLeaseView,
  printRefusal,
  printSetView,
} from './scenario-print.ts'

/**
 * A story in test/core/scenarios: comments, and blocks of commands with, after `----`, what they print. A set is named by
 * its token, also after its end (its handle is then presented), or by its number, `#3`; `token:vm-a` presents the token.
 * A lease is named by its name, also after its end.
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
  readonly leaseIds: Map<string, LeaseId>
  readonly refusals: Failure[]
  /** What it says of whom; empty: there is none. */
  readonly policy: Map<string, Caller>
}

export function tellScenario(text: string): Told {
  const teller: Teller = { running: start(), setIds: new Map(), leaseIds: new Map(), refusals: [], policy: new Map() }
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

function tellLine(teller: Teller, line: Line): string[] {
  const { words, options, verb } = line
  switch (verb) {
    case 'space':
      teller.running = start(configOf(CONFIG, options))
      return [`${teller.running.state.space.available} ids to hand out`]
    case 'policy':
      teller.policy.set(words[0] ?? '', policyOf(line))
      return ['is in force']
    case 'restart':
      return restart(teller, options)
    case 'wait':
      teller.running.nowMs += milliseconds(words[0] ?? '')
      ripen(teller.running.state, teller.running.nowMs)
      return [`${teller.running.nowMs / 1000} s`]
    case 'get-set':
    case 'list-sets':
    case 'get':
    case 'list':
    case 'get-lease':
    case 'list-leases':
    case 'status':
      return look(teller, line)
    case 'find':
      // With a lease it takes a reference.
      if (options.has('lease')) return change(teller, commandOf(teller, line), line)
      return look(teller, line)
    default:
      return change(teller, commandOf(teller, line), line)
  }
}

function change(teller: Teller, command: Command, line: Line): string[] {
  const decision: Decision = submit(teller.running, command, callerOf(teller.policy, line))
  if (isFailure(decision)) return refused(teller, decision)
  if (decision.events.length === 0) return ['nothing changed', ...printAnswer(command, decision.answer)]
  const { revision } = teller.running.state
  for (const event of decision.events) {
    if (event.kind === 'SET_ALLOC') teller.setIds.set(event.set.token, event.set.setId)
    if (event.kind === 'LEASE_GRANT') teller.leaseIds.set(event.terms.name, event.leaseId)
  }
  return [
    ...decision.events.map((event) => `r${revision} ${printEvent(event)}`),
    ...printAnswer(command, decision.answer),
  ]
}

function refused(teller: Teller, failure: Failure): string[] {
  teller.refusals.push(failure)
  return [printRefusal(failure)]
}

function look(teller: Teller, line: Line): string[] {
  const { verb, words, options } = line
  const { state } = teller.running
  const caller = callerOf(teller.policy, line)
  const show = <Value extends object>(value: Value | Failure, print: (value: Value) => string): string[] =>
    isFailure(value) ? refused(teller, value) : [print(value)]
  const limit = numberOf(options, 'page-size', 100)
  switch (verb) {
    case 'get-set':
      return show(
        mayLook(state, refOf(teller, words[0]), caller) ?? getSet(state, refOf(teller, words[0])),
        printSetView,
      )
    case 'get': {
      const presented = options.has('set') ? setOf(teller, options.get('set')) : undefined
      const denied =
        presented === undefined
          ? mayLookAtId(state, Number(words[0]), caller)
          : mayLook(state, { setId: presented }, caller)
      return show(denied ?? getIoasid(state, Number(words[0]), presented), printIoasidView)
    }
    case 'find': {
      const spid = asSpid(numberOf(options, 'spid', 0))
      const ref = refOf(teller, words[0])
      return show(mayLook(state, ref, caller) ?? findBySpid(state, ref, spid), printIoasidView)
    }
    case 'get-lease':
      return show(
        ownLease(state, leaseOf(teller, words[0]), caller) ?? getLease(state, leaseOf(teller, words[0])),
        printLeaseView,
      )
    case 'list-leases': {
      const page = listLeases(state, asLeaseId(numberOf(options, 'after', 0)), limit, (lease) =>
        seesLease(caller, lease),
      )
      return [...page.items.map(printLeaseView), page.more ? `more after=${page.items.at(-1)?.leaseId}` : 'no more']
    }
    case 'list-sets': {
      const page = listSets(state, options.get('prefix') ?? '', asSetId(numberOf(options, 'after', 0)), limit, (set) =>
        sees(caller, set),
      )
      return [...page.items.map(printSetView), page.more ? `more after=${page.items.at(-1)?.setId}` : 'no more']
    }
    case 'list': {
      const [generation, ioasid] = options.get('after')?.split('/').map(Number) ?? []
      const after = generation === undefined || ioasid === undefined ? BEFORE_ALL : { generation, ioasid }
      const ref = refOf(teller, words[0])
      const page = mayLook(state, ref, caller) ?? listIoasids(state, ref, after, limit)
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
    maxLeases: numberOf(options, 'max-leases', config.maxLeases),
    maxReferences: numberOf(options, 'max-references', config.maxReferences),
  }
}

function rangeOf(text: string): readonly [number, number] {
  const [first = 0, last = first] = text.split('-').map(Number)
  return [first, last]
}
