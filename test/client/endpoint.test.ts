import { describe, expect, it } from 'vitest'
import { defaultEndpoint, parseEndpoint } from '../../client/endpoint.ts'
import { connect } from '../../client/index.ts'
import { loadConfig } from '../../server/config.ts'

describe('an endpoint', () => {
  it.each([
    ['unix:///run/ioasidd/ioasidd.sock', 'unix:/run/ioasidd/ioasidd.sock'],
    ['unix:/run/x.sock', 'unix:/run/x.sock'],
    ['unix:///tmp/with space/x.sock', 'unix:/tmp/with space/x.sock'],
    ['tcp://127.0.0.1:7000', 'dns:127.0.0.1:7000'],
    ['host.example:7000', 'dns:host.example:7000'],
    ['[::1]:7000', 'dns:[::1]:7000'],
    ['tcp://[::1]:7000', 'dns:[::1]:7000'],
  ])('%s is known', (name, target) => {
    expect(parseEndpoint(name)).toEqual({ name, target })
  })

  it.each([
    '',
    'unix:',
    'unix:x.sock',
    'unix://x.sock',
    'unix:///',
    `unix:///${'x'.repeat(107)}`,
    'http://host:80',
    'host',
    'host:',
    'host:0',
    'host:65536',
    '::1:7000',
    'tcp://host:7000/x',
    ' host:7000',
  ])("'%s' is refused", (name) => {
    expect(() => parseEndpoint(name)).toThrow(/^endpoint: /)
  })

  it('is by default where the daemon listens by default', () => {
    const env = { XDG_RUNTIME_DIR: '/run/user/1000', HOME: '/home/ada' }
    expect(defaultEndpoint({ uid: 0, env })).toBe('unix:///run/ioasidd/ioasidd.sock')
    expect(defaultEndpoint({ uid: 1000, env })).toBe('unix:///run/user/1000/ioasidd.sock')
    const state = 'unix:///home/ada/.local/state/ioasidd/ioasidd.sock'
    expect(defaultEndpoint({ uid: 1000, env: { HOME: '/home/ada' } })).toBe(state)
    expect(() => defaultEndpoint({ uid: 1000, env: {} })).toThrow('XDG_RUNTIME_DIR')
    // The daemon's default is made elsewhere: the two must agree.
    for (const surroundings of [env, { HOME: '/home/ada' }, { XDG_STATE_HOME: '/state', HOME: '/home/ada' }]) {
      const loaded = loadConfig([], { env: surroundings, isRoot: false, isTerminal: false })
      const [listener] = loaded.kind === 'config' ? loaded.config.listeners : []
      expect(listener?.address.text).toBe(defaultEndpoint({ uid: 1000, env: surroundings }))
    }
  })

  it('that is wrong is refused when the client is made', () => {
    expect(() => connect({ endpoint: 'nowhere' })).toThrow('endpoint')
    expect(() => connect({ endpoint: [] })).toThrow('endpoint')
    expect(() => connect({ endpoint: 5 as never })).toThrow('endpoint')
    expect(() => connect('host:1' as never)).toThrow('an object is wanted')
    expect(() => connect(null as never)).toThrow('an object is wanted')
    expect(() => connect({ endpoints: ['host:1'] } as never)).toThrow('endpoints: not known; endpoint, tls, deadlineMs')
    expect(() => connect({ endpoint: 'host:1', retry: { initialDelayMs: 0 } })).toThrow('retry.initial_delay_ms')
  })
})
