/** A metric with its samples, as any exposition writes it. Names and units follow Prometheus' rules. */
export interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly values: readonly Sample[]
}

export interface Sample {
  readonly value: number
  readonly labels: Labels
  /** Of a histogram: the name with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string
}

export type Labels = Readonly<Record<string, string | number>>

const NONE: Labels = {}

export function gauge(name: string, help: string, value: number): Family {
  return { name, help, type: 'gauge', values: [{ value, labels: NONE }] }
}

export function counter(name: string, help: string, value: number): Family {
  return { name, help, type: 'counter', values: [{ value, labels: NONE }] }
}

/** A gauge with one label. */
export function gauges(
  name: string,
  help: string,
  label: string,
  values: readonly (readonly [string | number, number])[],
): Family {
  return { name, help, type: 'gauge', values: values.map(([of, value]) => ({ value, labels: { [label]: of } })) }
}

/** Counts of what fell into buckets, which is all that is done while calls are served. */
export interface Histogram {
  record(value: number): void
  samples(name: string, labels: Labels): readonly Sample[]
}

/** bounds: ascending, each the highest value of its bucket. */
export function createHistogram(bounds: readonly number[]): Histogram {
  const counts = new Float64Array(bounds.length + 1)
  let sum = 0
  return {
    record: (value) => {
      let bucket = 0
      while (value > (bounds[bucket] ?? Number.POSITIVE_INFINITY)) bucket += 1
      counts[bucket] = (counts[bucket] ?? 0) + 1
      sum += value
    },
    samples: (name, labels) => {
      let count = 0
      const bucketOf = (le: number | string, upTo: number): Sample => ({
        value: upTo,
        labels: { ...labels, le },
        metricName: `${name}_bucket`,
      })
      const buckets = bounds.map((bound, index) => {
        count += counts[index] ?? 0
        return bucketOf(bound, count)
      })
      count += counts[bounds.length] ?? 0
      return [
        ...buckets,
        bucketOf('+Inf', count),
        { value: sum, labels, metricName: `${name}_sum` },
        { value: count, labels, metricName: `${name}_count` },
      ]
    },
  }
}
