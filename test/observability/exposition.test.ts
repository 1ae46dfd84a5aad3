import { expect, it } from 'vitest'
import { createExposition } from '../../server/observability/exposition.ts'
import { createRecorder } from '../../server/observability/recorder.ts'

const exposition = createExposition()

function recorded() {
  const recorder = createRecorder()
  const method = recorder.method('Allocate')
  method.request('OK')
  method.request('QUOTA_EXCEEDED')
  method.took(0.4)
  method.took(30)
  recorder.method('Free')
  recorder.committed(3, 2)
  return recorder.families()
}

it('requests are counted by method and reason, durations and batches fall into buckets', async () => {
  const { contentType, text } = await exposition.write(recorded(), 'text')
  expect(contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = text.split('\n')
  for (const line of [
    '# TYPE ioasidd_requests_total counter',
    'ioasidd_requests_total{method="Allocate",reason="OK"} 1',
    'ioasidd_requests_total{method="Allocate",reason="QUOTA_EXCEEDED"} 1',
    'ioasidd_requests_total{method="Free",reason="OK"} 0',
    'ioasidd_rpc_duration_seconds_bucket{method="Allocate",le="0.0005"} 1',
    'ioasidd_rpc_duration_seconds_bucket{method="Allocate",le="0.025"} 1',
    'ioasidd_rpc_duration_seconds_bucket{method="Allocate",le="0.05"} 2',
    'ioasidd_rpc_duration_seconds_bucket{method="Allocate",le="+Inf"} 2',
    'ioasidd_rpc_duration_seconds_count{method="Allocate"} 2',
    'ioasidd_commit_entries_bucket{le="2"} 0',
    'ioasidd_commit_entries_bucket{le="4"} 1',
    'ioasidd_commit_duration_seconds_sum 0.002',
  ]) {
    expect(lines).toContain(line)
  }
  expect(text).toContain('process_resident_memory_bytes')
})

it('OpenMetrics has its own names and end, and the text form keeps its own after it', async () => {
  const first = await exposition.write(recorded(), 'text')
  const open = await exposition.write(recorded(), 'openmetrics')
  expect(open.contentType).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8')
  expect(open.text).toContain('# TYPE ioasidd_requests counter\nioasidd_requests_total{')
  expect(open.text).toContain('# TYPE process_cpu_seconds counter\nprocess_cpu_seconds_total ')
  expect(open.text.endsWith('# EOF\n')).toBe(true)
  const second = await exposition.write(recorded(), 'text')
  const names = ({ text }: { text: string }) => text.match(/^# TYPE .*$/gm)?.sort()
  expect(names(second)).toEqual(names(first))
})
