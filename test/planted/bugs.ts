import type { Checker } from '../simulation/sim.ts'

/** A bug that somebody might write: one place of the daemon, and what stands there instead. */
export interface PlantedBug {
  readonly name: string
  /** Below server/. */
  readonly file: string
  /** Stands in the file exactly once. */
  readonly find: string
  readonly replace: string
  /** The checkers that may report it. Often several can see it, and the order of things decides which is first. */
  readonly by: readonly Checker[]
}

/**
 * The simulation must be able to fail: each of these is found, by name, within a bounded number of seeds. A bug that the
 * core's own assertions catch (evolve throws, and the daemon ends) is reported as `sound`, or as what is missing then.
 */
export const BUGS: readonly PlantedBug[] = [
  {
    name: 'an id may be handed out before it has rested',
    file: 'core/rest.ts',
    find: 'return reclaimedMs + reuseDelayMs + 1',
    replace: 'return reclaimedMs + reuseDelayMs / 2',
    by: ['no-early-reuse', 'answers-in-order', 'accounts'],
  },
  {
    name: 'a start ends all rest',
    file: 'core/rest.ts',
    find: 'const isOnList = since > 0 && reclaimedMs >= restoredMs && rests(reclaimedMs)',
    replace: 'const isOnList = false',
    by: ['no-early-reuse', 'answers-in-order', 'accounts'],
  },
  {
    name: 'a held id is reclaimed when it is freed',
    file: 'core/teardown.ts',
    find: 'const isHeldBound = isBound(record) && plan.holders.length > 0',
    replace: 'const isHeldBound = false',
    by: ['no-early-reuse', 'sound', 'hold-reference', 'answers-in-order'],
  },
  {
    name: 'an acknowledgement settles the teardown after it',
    file: 'core/holds.ts',
    find: 'if (hold.awaiting > acknowledged) break',
    replace: 'if (hold.awaiting > acknowledged + 1) break',
    by: ['no-early-reuse', 'sound', 'answers-in-order', 'hold-reference'],
  },
  {
    name: 'UNBIND is dropped when a held set is destroyed',
    file: 'core/teardown.ts',
    find: "    { kind: 'UNBIND', set, runs: fitted(plan.unboundPending), pending: true },\n",
    replace: '',
    by: ['bind-unbind-alternate', 'sound', 'hold-reference', 'answers-in-order', 'accounts'],
  },
  {
    name: 'the SPID of a pending id is free at once',
    file: 'core/evolve-bindings.ts',
    find: 'if (!pending) forgetSpid',
    replace: 'forgetSpid',
    by: ['answers-in-order', 'bind-unbind-alternate', 'accounts', 'sound'],
  },
  {
    name: 'the quota does not return when its set is gone',
    file: 'core/evolve.ts',
    find: '  state.reservedByQuotas -= set.quota\n',
    replace: '',
    by: ['accounts', 'answers-in-order'],
  },
  {
    name: 'a set without a quota draws on what others have reserved',
    file: 'core/state.ts',
    find: 'return state.usable - state.reservedByQuotas - state.unreservedUse',
    replace: 'return state.usable - state.unreservedUse',
    by: ['accounts', 'answers-in-order'],
  },
  {
    name: 'a binding gives its holder no reference',
    file: 'core/evolve-bindings.ts',
    find: '  holdBound(state, set, runs)\n',
    replace: '',
    by: ['hold-reference', 'accounts', 'answers-in-order'],
  },
  {
    name: 'a hold takes nothing of what is bound already',
    file: 'core/evolve-holds.ts',
    find: 'const gained = countNewHolds(state, leaseId, names)',
    replace: 'const gained = 0',
    by: ['hold-reference', 'accounts', 'answers-in-order'],
  },
  {
    name: 'the end of a lease leaves what it held in the account',
    file: 'core/evolve-holds.ts',
    find: '  state.references -= holding.references\n',
    replace: '',
    by: ['accounts'],
  },
  {
    name: 'a lease that is held loses what it held',
    file: 'core/evolve-leases.ts',
    find: '  keepHolds(state, leaseId)\n',
    replace: '',
    by: ['hold-reference', 'no-early-reuse', 'accounts', 'answers-in-order', 'lease-end'],
  },
  {
    name: 'nobody waits for the holders before him',
    file: 'core/turn.ts',
    find: 'return sinceRevision < revision && holding.acknowledged < revision',
    replace: 'return false',
    by: ['waves'],
  },
  {
    name: 'the time of a wave is twice as long',
    file: 'engine/teardown.ts',
    find: 'rankOf(priority) * timeoutMs',
    replace: '2 * rankOf(priority) * timeoutMs',
    by: ['waves', 'heartbeat-never-ahead'],
  },
  {
    name: 'the time of a wave is half as long',
    file: 'engine/teardown.ts',
    find: 'rankOf(priority) * timeoutMs',
    replace: '0.5 * rankOf(priority) * timeoutMs',
    by: ['waves'],
  },
  {
    name: 'what is told before its turn is not marked',
    file: 'engine/teardown.ts',
    find: 'overrun: new Set([...waits].map(({ ioasid }) => ioasid)) }',
    replace: 'overrun: NO_OVERRUN }',
    by: ['waves'],
  },
  {
    name: 'a wave goes on an acknowledgement that is not on the disk',
    file: 'engine/subscription.ts',
    find: 'const failed = await turn.durable()',
    replace: 'const failed: Failure | undefined = undefined',
    by: ['waves', 'durable-before-visible'],
  },
  {
    name: 'a heartbeat tells of the wave that waits',
    file: 'engine/subscription.ts',
    find: 'heartbeat(asRevision(item.revision - 1))',
    replace: 'heartbeat(item.revision)',
    by: ['heartbeat-never-ahead', 'stream-order', 'stream-unique', 'waves'],
  },
  {
    name: 'an event comes twice where history becomes the present',
    file: 'engine/subscription.ts',
    find: 'if (!isFollowing || entry.revision <= cursor) return',
    replace: 'if (entry.revision <= after) return',
    by: ['stream-unique', 'stream-order', 'heartbeat-never-ahead'],
  },
  {
    name: 'an event is lost where history becomes the present',
    file: 'engine/subscription.ts',
    find: 'if (cursor >= published()) {',
    replace: 'if (cursor >= published() - 1) {',
    by: ['stream-complete', 'heartbeat-never-ahead'],
  },
  {
    name: 'a subscriber that falls behind goes on from the present',
    file: 'engine/subscription.ts',
    find: '    isFollowing = false\n    queue = []',
    replace: '    queue = []',
    by: ['stream-complete', 'heartbeat-never-ahead'],
  },
  {
    name: 'a filter matches what begins with a name',
    file: 'engine/filter.ts',
    find: 'sets.tokens.has(token)',
    replace: '[...sets.tokens].some((name) => token.startsWith(name))',
    by: ['stream-filter'],
  },
  {
    name: 'a filter by type lets everything pass',
    file: 'engine/filter.ts',
    find: 'filter.types.has(event.kind) && ',
    replace: '',
    by: ['stream-filter'],
  },
  {
    name: 'an answer leaves before it is on the disk',
    file: 'engine/sequencer.ts',
    find: '    schedule()\n    return (await settled()) ?? { answer, revision }',
    replace: '    schedule()\n    return { answer, revision }',
    by: ['durable-before-visible'],
  },
  {
    name: 'a refusal leaves before what it tells of is on the disk',
    file: 'engine/sequencer.ts',
    find: 'if (isFailure(decision)) return (await settled()) ?? decision',
    replace: 'if (isFailure(decision)) return decision',
    by: ['durable-before-visible'],
  },
  {
    name: 'a read tells of what is not on the disk',
    file: 'engine/sequencer.ts',
    find: '      const value = query(state)\n      return (await settled()) ?? value',
    replace: '      return query(state)',
    by: ['durable-before-visible', 'answers-in-order'],
  },
  {
    name: 'a notification leaves before it is on the disk',
    file: 'engine/group-commit.ts',
    find: [
      'await store.append(batch)',
      'if (failure !== undefined) return',
      'onCommit?.(batch.entries.length, clock.monotonicMs() - beganMs)',
      '// Told in this order: who is answered may read the stream and must find the change in it.',
      'publish(batch.entries)\n',
    ].join('\n        '),
    replace: 'publish(batch.entries)\nawait store.append(batch)\nif (failure !== undefined) return\n',
    by: ['durable-before-visible', 'sound'],
  },
  {
    name: 'a request_id is not looked at',
    file: 'engine/sequencer.ts',
    find: 'if (request !== undefined && place !== undefined) return repeat(command, request, place, caller)',
    replace: '',
    by: ['exactly-once', 'answers-in-order'],
  },
  {
    name: 'the meaning of a request_id is not looked at',
    file: 'engine/sequencer.ts',
    find: 'if (meaning === meaningOf(command)) {',
    replace: "if (meaning !== '') {",
    by: ['exactly-once', 'answers-in-order'],
  },
  {
    name: 'a start forgets the answers',
    file: 'engine/open-space.ts',
    find: 'if (isAnswerMark(mark.key)) answers.restore(mark)',
    replace: 'if (isAnswerMark(mark.key)) continue',
    by: ['exactly-once', 'answers-in-order', 'restart', 'sound'],
  },
  {
    name: 'the oldest cursor is refused',
    file: 'engine/start-rules.ts',
    find: 'after < compactRevision',
    replace: 'after <= compactRevision',
    by: ['answers-in-order', 'stream-complete', 'sound'],
  },
  {
    name: 'a lease ends early',
    file: 'engine/lease-times.ts',
    find: 'deadlineMs < servingMs',
    replace: 'deadlineMs - 300 < servingMs',
    by: ['lease-end'],
  },
  {
    name: 'a lease ends late',
    file: 'engine/lease-times.ts',
    find: 'deadlineMs < servingMs',
    replace: 'deadlineMs + 2000 < servingMs',
    by: ['lease-end'],
  },
  {
    name: 'a start gives no grace',
    file: 'engine/lease-times.ts',
    find: 'Math.max(kept.get(markKey(leaseId)) ?? 0, state.servingMs + graceMs)',
    replace: 'kept.get(markKey(leaseId)) ?? 0',
    by: ['lease-end', 'restart'],
  },
  {
    name: 'a daemon that was stopped takes the time for its own',
    file: 'engine/clock.ts',
    find: 'const MAX_GAP_MS = 1000',
    replace: 'const MAX_GAP_MS = 1e12',
    by: ['lease-end', 'no-early-reuse', 'waves'],
  },
  {
    name: 'the stream of a lease goes on when the lease has ended',
    file: 'engine/hold-streams.ts',
    find: 'stream !== undefined && stream.revision < revision',
    replace: 'stream !== undefined && stream.revision < 0',
    by: ['lease-end'],
  },
  {
    name: 'a snapshot leaves out what holders have yet to acknowledge',
    file: 'store/snapshot.ts',
    find: 'for (const holds of chunksOf(slicesOf(columns.holds)',
    replace: 'for (const holds of chunksOf(slicesOf(new Map<number, Hold[]>())',
    by: ['restart', 'hold-reference', 'accounts', 'no-early-reuse', 'sound', 'answers-in-order'],
  },
  {
    name: 'a snapshot leaves out which ids are pending',
    file: 'store/snapshot.ts',
    find: 'for (const pending of chunksOf(columns.pending',
    replace: 'for (const pending of chunksOf(new Set<number>()',
    by: ['restart', 'accounts', 'sound', 'answers-in-order'],
  },
]
