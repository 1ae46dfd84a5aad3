import {
  collectDefaultMetrics,
  type Metric,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry,
} from 'prom-client'
import type { Family } from './families.ts'

/** Writes metrics as Prometheus reads them, with those of the process and of Node. The only file that knows prom-client. */
export interface Exposition {
  write(families: readonly Family[], form: Form): Promise<Written>
}

export type Form = 'text' | 'openmetrics'

export interface Written {
  readonly contentType: string
  readonly text: string
}

const CONTENT_TYPES: Readonly<Record<Form, PrometheusContentType | OpenMetricsContentType>> = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openmetrics: Registry.OPENMETRICS_CONTENT_TYPE,
}

export function createExposition(): Exposition {
  const process = new Registry()
  collectDefaultMetrics({ register: process })
  return {
    write: async (families, form) => {
      const contentType = CONTENT_TYPES[form]
      // A registry for each: one that has written OpenMetrics has renamed its counters, and would go on under those names.
      const registry = new Registry<PrometheusContentType | OpenMetricsContentType>()
      registry.setContentType(contentType)
      const ofProcess = (await process.getMetricsAsJSON()) as unknown as readonly Family[]
      for (const family of [...families, ...ofProcess.filter(isWellNamed)]) registry.registerMetric(asMetric(family))
      return { contentType, text: await registry.metrics() }
    },
  }
}

/** prom-client calls some gauges `_total`, which is for counters; what they sum up is there by type. */
function isWellNamed({ name, type }: Family): boolean {
  return type === 'counter' || !name.endsWith('_total')
}

/** What a registry asks of a metric when it writes it. */
function asMetric(family: Family): Metric {
  const metric = { ...family, get: () => Promise.resolve(metric) }
  return metric as unknown as Metric
}
