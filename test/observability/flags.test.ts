import { expect, it } from 'vitest'
import { loadConfig } from '../../server/config.ts'

const HOST = { env: { HOME: '/home/ada' }, isRoot: false, isTerminal: false }

function load(...argv: readonly string[]) {
  const loaded = loadConfig(argv, HOST)
  if (loaded.kind === 'usage') return loaded.sentence
  return loaded.kind === 'config' ? loaded.config.observability : loaded.text
}

it('without a flag metrics are served nowhere, calls are slow after a second, and nothing is traced', () => {
  expect(load()).toEqual({ metricsListen: null, slowCallMs: 1000, tracing: false, maxEventLoopDelayMs: 1000 })
})

it('metrics are served where they are told to be', () => {
  expect(load('--metrics-listen', '127.0.0.1:9464')).toMatchObject({ metricsListen: { text: '127.0.0.1:9464' } })
  expect(load('--metrics-listen', 'tcp://[::1]:0')).toMatchObject({ metricsListen: { text: '[::1]:0' } })
  expect(load('--metrics-listen', '127.0.0.1:9464', '--metrics-listen', '')).toMatchObject({ metricsListen: null })
})

it('beyond this host they are only with --insecure', () => {
  expect(load('--metrics-listen', '0.0.0.0:9464')).toBe(
    '--metrics-listen 0.0.0.0:9464 would tell other hosts, in plain text, how things are: it takes a loopback address, or --insecure.',
  )
  expect(load('--metrics-listen', '0.0.0.0:9464', '--insecure')).toMatchObject({
    metricsListen: { text: '0.0.0.0:9464' },
  })
})

it('anything but an address of TCP is refused by a sentence', () => {
  expect(load('--metrics-listen', 'unix:///run/x.sock')).toBe(
    "--metrics-listen does not take 'unix:///run/x.sock': it takes IP:PORT, [IPv6]:PORT, or nothing for nowhere.",
  )
})
