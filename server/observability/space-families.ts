import type { Figures } from '../engine/figures.ts'
import type { Lag, Pulse } from '../engine/pulse.ts'
import { counter, type Family, gauge, gauges } from './families.ts'

/** What the engine tells of the space, as metrics. Only numbers: what sets and leases are called is for those who may see it. */
export function spaceFamilies(figures: Figures): readonly Family[] {
  const { capacity, usable, allocated, freePending, resting, oldestTeardownMs } = figures
  const states = [
    ['free', Math.max(0, usable - allocated - resting)],
    ['resting', resting],
    ['allocated', allocated - freePending],
    ['free_pending', freePending],
    ['reserved', capacity - usable],
  ] as const
  return [
    gauge('ioasidd_revision', 'The newest revision', figures.revision),
    gauge('ioasidd_compact_revision', 'The oldest cursor that a subscriber can resume from', figures.compactRevision),
    gauge('ioasidd_capacity_ioasids', 'Ids of the space', capacity),
    gauges('ioasidd_ioasids', 'Ids by state; the sum is the capacity. allocated: idle or active', 'state', states),
    gauge('ioasidd_ioasids_bound', 'Allocated ids with a SPID attached', figures.bound),
    gauge('ioasidd_quota_reserved_ioasids', 'Sum of all quotas', figures.reserved),
    gauge('ioasidd_available_ioasids', 'The largest quota that CreateSet would grant', figures.available),
    gauge('ioasidd_sets', 'Sets, draining ones too', figures.sets),
    gauge('ioasidd_leases', 'Leases, held ones too', figures.leases),
    gauge('ioasidd_references', 'Pairs of an id and a lease that holds it', figures.references),
    gauge('ioasidd_private_data_bytes', 'Private data of all ids', figures.privateDataBytes),
    gauge('ioasidd_waiting_holders', 'Leases that have a teardown to acknowledge', figures.waitingHolders),
    gauge(
      'ioasidd_oldest_teardown_age_seconds',
      'For how long the teardown has been awaited that is awaited longest, in serving time; 0: none is',
      oldestTeardownMs / 1000,
    ),
  ]
}

/** Of all subscribers so many have a metric of their own: those that lag most. */
const SHOWN_SUBSCRIPTIONS = 20

export function pulseFamilies(pulse: Pulse): readonly Family[] {
  const { size, hasFailed, writingMs, undurableBytes } = pulse
  return [
    gauge('ioasidd_store_up', 'Whether the store takes changes: 0 once it has failed', hasFailed ? 0 : 1),
    gauge(
      'ioasidd_commit_wait_seconds',
      'For how long the store has been writing what it writes now',
      writingMs / 1000,
    ),
    gauge('ioasidd_undurable_bytes', 'Changes that wait for the disk', undurableBytes),
    gauge('ioasidd_log_entries', 'Revisions that the log holds', size.entries),
    gauge('ioasidd_log_bytes', 'Their bytes', size.logBytes),
    gauge('ioasidd_log_unsnapshotted_entries', 'Revisions that a start would replay', size.sinceSnapshot),
    counter('ioasidd_repeated_requests_total', 'Answers given again to a request_id that came again', pulse.repeated),
    counter(
      'ioasidd_reused_request_ids_total',
      'Refusals of a request_id that meant something else before',
      pulse.reused,
    ),
    counter('ioasidd_overruns_total', 'Ids that holders were told of before their turn', pulse.overruns),
    gauge('ioasidd_subscriptions', 'Open subscriptions', pulse.subscriptions),
    ...lagFamilies(pulse.lags()),
  ]
}

function lagFamilies(lags: readonly Lag[]): readonly Family[] {
  const shown = mostLagging(lags, SHOWN_SUBSCRIPTIONS)
  const each = (of: (lag: Lag) => number) => shown.map((lag) => [lag.subscriptionId, of(lag)] as const)
  const sum = (of: (lag: Lag) => number) => lags.reduce((all, lag) => all + of(lag), 0)
  const [most] = shown
  return [
    gauge(
      'ioasidd_subscription_lag_max_revisions',
      'How far the last of all subscribers is behind',
      most?.revisions ?? 0,
    ),
    gauge(
      'ioasidd_subscription_lag_sum_revisions',
      'How far all subscribers are behind',
      sum((lag) => lag.revisions),
    ),
    gauge(
      'ioasidd_subscriptions_queued_bytes',
      'Events that wait in memory for all subscribers',
      sum((lag) => lag.queuedBytes),
    ),
    gauges(
      'ioasidd_subscription_lag_revisions',
      'How far a subscriber is behind, of those that are most',
      'subscription',
      each((lag) => lag.revisions),
    ),
    gauges(
      'ioasidd_subscription_queued_bytes',
      'Events that wait in memory for one of these',
      'subscription',
      each((lag) => lag.queuedBytes),
    ),
  ]
}

/** At most so many that are behind, the one that is most first. */
export function mostLagging(lags: readonly Lag[], limit: number): readonly Lag[] {
  const behind = lags.filter(({ revisions, queuedBytes }) => revisions > 0 || queuedBytes > 0)
  return behind.sort((a, b) => b.revisions - a.revisions || b.queuedBytes - a.queuedBytes).slice(0, limit)
}
