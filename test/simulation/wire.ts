import type { Command } from '../../server/core/command.ts'
import { isFailure, REASONS } from '../../server/core/failure.ts'
import type { LeaseId } from '../../server/core/ids.ts'
import { requestKey } from '../../server/engine/request-digest.ts'
import type { Outcome } from '../../server/engine/sequencer.ts'
import { show } from './checkers/same.ts'
import { asArrived } from './commands.ts'
import type { Daemon, Process } from './daemon.ts'
import { CALLER, type Oracle } from './oracle.ts'
import type { Sim } from './sim.ts'

/** A unary call of a client, and what the client does to learn what came of it. */
export interface Call {
  readonly who: string
  readonly asking: Command | { readonly kind: 'renew'; readonly leaseId: LeaseId }
  /** undefined: it is not sent a second time, but where that does no harm. */
  readonly requestId: string | undefined
  /** So many of its answers get lost on their way. */
  readonly losses: number
  /** What came of it; undefined: that was never learned. */
  readonly onDone: (outcome: Outcome | undefined) => void
}

export interface Wire {
  send(call: Call): void
  /** The connections of a process are gone. */
  broken(process: Process): void
}

interface Flight {
  readonly call: Call
  losses: number
  attempts: number
  process: Process | undefined
}

const MAX_ATTEMPTS = 10

export function createWire(sim: Sim, daemon: () => Daemon, oracle: Oracle): Wire {
  const { world, coverage } = sim
  const { random } = world
  const flights = new Set<Flight>()
  const latencyMs = () => random.below(9) / 4

  const attempt = (flight: Flight) => {
    const { process } = daemon()
    if (process?.serving === undefined) return again(flight)
    flight.attempts += 1
    flight.process = process
    flights.add(flight)
    world.after('daemon', latencyMs(), () => arrive(flight, process))
  }

  /** Whether anything came of it is not known. */
  const again = (flight: Flight) => {
    const { call, attempts } = flight
    flight.process = undefined
    const { asking, requestId } = call
    const isHarmless = requestId !== undefined || asking.kind === 'renew' || asking.kind === 'acknowledge'
    if (!isHarmless || attempts >= MAX_ATTEMPTS) return call.onDone(undefined)
    world.after('client', random.between(50, 400), () => attempt(flight))
  }

  const arrive = (flight: Flight, process: Process) => {
    if (process.serving === undefined) return
    const { engine, state } = process.serving
    const { asking, requestId } = flight.call
    const put: Command = asking.kind === 'renew' ? { kind: 'revive_lease', leaseId: asking.leaseId } : asking
    const command = asArrived(put, engine.capacity)
    if (command === undefined) {
      flights.delete(flight)
      return void world.after('client', latencyMs(), () => flight.call.onDone(undefined))
    }
    if (requestId !== undefined) oracle.sent(requestId, command)
    const request = requestId === undefined ? undefined : { key: requestKey(CALLER, requestId), requestId }
    const since = oracle.moments.now()
    coverage.count('request')
    let outcome: Promise<Outcome> | undefined
    const asked = oracle.answers.ask({ kind: 'command', command, requestId }, state, process, () => {
      outcome = asking.kind === 'renew' ? engine.renew(asking.leaseId) : engine.submit(command, request)
    })
    noteRevoked(command, asked.madeRevision !== undefined)
    for (const leaseId of keptBy(command)) oracle.leases.kept(leaseId)
    outcome?.then(
      (answered) => {
        if (!process.isAlive) return
        oracle.answers.answer(asked, answered, state.servingMs)
        sim.trace(() => `${flight.call.who}: ${show(asking)} -> ${show(answered)}`)
        if (isFailure(answered)) {
          coverage.count('refusal')
          if ('resting' in answered.metadata) coverage.count('kept away by its reuse delay')
        } else {
          const granted = answered.answer.kind === 'lease' ? [answered.answer.lease.leaseId] : []
          for (const leaseId of [...keptBy(command), ...granted]) {
            oracle.leases.answered(leaseId, since)
          }
        }
        flight.process = undefined
        flights.delete(flight)
        if (flight.losses > 0) {
          flight.losses -= 1
          if (!isFailure(answered)) coverage.count('sent again after a lost answer')
          world.after('client', latencyMs(), () => again(flight))
        } else world.after('client', latencyMs(), () => done(flight, answered))
      },
      (cause: unknown) => {
        // The edge makes INTERNAL of it, and the process is about to end.
        if (process.isAlive && !sim.disk.isOwn(cause)) sim.report('sound', `${show(asking)} throws ${cause}`)
      },
    )
  }

  const noteRevoked = (command: Command, isMade: boolean) => {
    if (!isMade) return
    if (command.kind === 'revoke_lease' || command.kind === 'force_revoke_lease') {
      coverage.count('lease revoked')
      oracle.leases.revoked(command.leaseId)
    }
  }

  const done = (flight: Flight, answered: Outcome) => {
    if (isFailure(answered) && REASONS[answered.reason] === 'UNAVAILABLE') {
      if (answered.reason === 'OVERLOADED') coverage.count('overloaded')
      return again(flight)
    }
    flight.call.onDone(answered)
  }

  return {
    send: (call) => attempt({ call, losses: call.losses, attempts: 0, process: undefined }),
    broken: (process) => {
      for (const flight of [...flights]) {
        if (flight.process !== process) continue
        flights.delete(flight)
        world.after('client', latencyMs(), () => again(flight))
      }
    },
  }
}

/** The leases that a command keeps alive when it succeeds. */
function keptBy(command: Command): LeaseId[] {
  switch (command.kind) {
    case 'revive_lease':
    case 'acquire':
    case 'acquire_by_spid':
    case 'acknowledge':
      return [command.leaseId]
    default:
      return []
  }
}
