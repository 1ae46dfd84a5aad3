import type { Command } from '../../server/core/command.ts'
import { isFailure } from '../../server/core/failure.ts'
import { asIoasid, asSetId, asSpid } from '../../server/core/ids.ts'
import type { status } from '../../server/core/query.ts'
import type { State } from '../../server/core/state.ts'
import type { Engine } from '../../server/engine/engine.ts'
import { allIds, isBound, type Model } from '../core/model.ts'
import { observeCore, observeModel, type Probe } from '../core/model-view.ts'
import { commandOf } from './commands.ts'
import type { Host } from './host.ts'
import type { OwnerAct } from './owner-acts.ts'
import { TOKENS } from './tokens.ts'

/** Those who allocate, bind and free, and operators, who look at everything and end what is not theirs. */
export interface Owners {
  perform(act: OwnerAct): void
  /** Compares everything that can be read with the model. */
  lookAtAll(): void
}

export function createOwners(host: Host): Owners {
  const { wire, oracle, daemon, newRequestId, world, report } = host
  const sent: { readonly command: Command; readonly requestId: string }[] = []

  const send = (command: Command, id: string | undefined, losses: number) => {
    // KeepLeaseAlive is a method of its own, and has no request_id.
    const isRenewal = command.kind === 'revive_lease'
    const asking = isRenewal ? ({ kind: 'renew', leaseId: command.leaseId } as const) : command
    const requestId = isRenewal ? undefined : id
    wire.send({ who: 'an owner', asking, requestId, losses, onDone: () => undefined })
  }

  /** A read that the model answers, too. */
  const look = (
    read: (engine: Engine, ask: (query: (state: State) => object) => Promise<object>) => Promise<object>,
    expect: (model: Model) => object,
  ) => {
    const { process } = daemon
    if (process?.serving === undefined) return
    world.after('daemon', 0, () => {
      if (process.serving === undefined) return
      const { engine, state } = process.serving
      let outcome: Promise<object> | undefined
      const asked = oracle.answers.ask({ kind: 'read', expect }, state, process, () => {
        outcome = read(engine, (query) => engine.read(query))
      })
      outcome?.then(
        (value) => {
          if (process.isAlive) oracle.answers.answer(asked, value, state.servingMs)
        },
        (cause: unknown) => {
          if (process.isAlive) report('sound', `a read throws ${cause}`)
        },
      )
    })
  }

  const rebind = (place: number) => {
    const bound = allIds(oracle.model).filter(({ id }) => isBound(id) && id.devices.length === 1)
    const { set, id } = bound[place % bound.length] ?? {}
    if (set === undefined || id === undefined) return
    const [setId, ioasid, device] = [asSetId(set.setId), asIoasid(id.ioasid), id.devices[0] ?? '']
    send({ kind: 'detach_spid', setId, ioasid, device }, newRequestId(), 0)
    const spid = asSpid(place % 2 === 0 ? (id.spid ?? 0) : place % 7)
    world.after('client', 3, () => send({ kind: 'attach_spid', setId, ioasid, spid, device }, newRequestId(), 0))
  }

  const lookAt = (probe: Probe) => {
    look(
      (_engine, ask) => ask((state) => observeCore(state, probe)),
      (model) => observeModel(model, probe),
    )
  }

  return {
    perform: (act) => {
      switch (act.do) {
        case 'request': {
          const command = commandOf(act.wish, oracle.model)
          const requestId = act.isIdentified ? newRequestId() : undefined
          if (requestId !== undefined && command.kind !== 'revive_lease') sent.push({ command, requestId })
          return send(command, requestId, requestId === undefined ? 0 : act.losses)
        }
        case 'send again': {
          const known = sent[act.place % sent.length]
          return known === undefined ? undefined : send(known.command, known.requestId, 0)
        }
        case 'reuse a request_id': {
          const known = sent[act.place % sent.length]
          return known === undefined ? undefined : send(commandOf(act.wish, oracle.model), known.requestId, 0)
        }
        case 'rebind':
          return rebind(act.place)
        case 'look':
          return lookAt(probeOf(oracle.model, act.place, 4))
        case 'status':
          return look(
            async (engine) => {
              const all = await engine.status()
              return isFailure(all) ? all : pickStatus(all)
            },
            (model) => ({ ...statusOf(model) }),
          )
      }
    },
    lookAtAll: () => lookAt(probeOf(oracle.model, 0, Infinity)),
  }
}

type Status = ReturnType<typeof status>

function pickStatus(all: Status): Status {
  const { capacity, reserved, available, sets, allocated, freePending, resting, leases, revision } = all
  return { capacity, reserved, available, sets, allocated, freePending, resting, leases, revision }
}

function statusOf(model: Model): object {
  const { status } = observeModel(model, NOTHING) as { readonly status: object }
  return status
}

const NOTHING: Probe = {
  ids: [],
  spids: [],
  setIds: [],
  leaseIds: [],
  presented: 0,
  tokens: [],
  prefix: '',
  pageSize: 1,
  after: { generation: 0, ioasid: 0 },
}

/** So many of each, from a place on. */
function probeOf({ config, lastSetId, lastLeaseId, revision, sets }: Model, place: number, most: number): Probe {
  const some = (all: readonly number[]) => {
    const from = place % all.length
    return [...all.slice(from), ...all.slice(0, from)].slice(0, most)
  }
  const upTo = (last: number) => Array.from({ length: last + 1 }, (_, number) => number)
  const setIds = some([...sets.map(({ setId }) => setId), lastSetId + 1])
  return {
    ids: some(upTo(config.capacity)),
    spids: some([0, 1, 2, 3, 5]),
    setIds,
    leaseIds: some(upTo(lastLeaseId + 1)),
    presented: asSetId(setIds[0] ?? 0),
    tokens: [TOKENS[place % TOKENS.length] ?? ''],
    prefix: ['', 'vm-a', 'vm', 'x'][place % 4] ?? '',
    pageSize: (place % 5) + 1,
    after: { generation: (place * 5) % (revision + 1), ioasid: (place * 7) % config.capacity },
  }
}
