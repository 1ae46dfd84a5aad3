import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../server/config.ts'
import { tcpAddress, unixAddress } from '../../server/rpc/address.ts'
import { type HandedSocket, parseSocketAddress, takeHandedOver } from '../../server/socket-activation.ts'

const PID = 42
const SOCKET = unixAddress('/run/ioasidd/ioasidd.sock')
const take = (env: Record<string, string | undefined>) => {
  return takeHandedOver(env, PID, () => Promise.resolve((fd) => tcpAddress('127.0.0.1', fd)))
}

describe('what is handed over', () => {
  it('begins at descriptor 3, and has names where somebody gave some', async () => {
    const env = { LISTEN_PID: '42', LISTEN_FDS: '3', LISTEN_FDNAMES: 'local:remote' }
    expect((await take(env)).map(({ fd, name }) => [fd, name])).toEqual([
      [3, 'local'],
      [4, 'remote'],
      [5, ''],
    ])
  })

  it('is for the process that is named alone, and nothing says more of it afterwards', async () => {
    for (const LISTEN_PID of ['41', '', undefined]) {
      const env = { LISTEN_PID, LISTEN_FDS: '1', LISTEN_FDNAMES: 'local', PATH: '/bin' }
      expect(await take(env)).toEqual([])
      expect(env).toEqual({ PATH: '/bin' })
    }
  })

  it('is nothing where the number is none', async () => {
    for (const LISTEN_FDS of ['0', '-1', '1x', '99999', '']) {
      expect(await take({ LISTEN_PID: '42', LISTEN_FDS })).toEqual([])
    }
  })
})

describe('the address of a socket', () => {
  const bytes = (hex: string) => parseSocketAddress(Buffer.from(hex.replaceAll(' ', ''), 'hex'))

  it('is read as the kernel writes it', () => {
    const path = Buffer.concat([Buffer.from([1, 0]), Buffer.from('/run/x.sock\0')])
    expect(parseSocketAddress(path)).toEqual(unixAddress('/run/x.sock'))
    expect(bytes('0200 1db0 0a000001 0000000000000000')).toEqual(tcpAddress('10.0.0.1', 7600))
    expect(bytes('0a00 1db0 00000000 00000000000000000000000000000001 00000000')).toEqual(tcpAddress('::1', 7600))
    expect(bytes('0a00 1db0 00000000 20010db8000000000000000000000001 00000000')).toEqual(
      tcpAddress('2001:db8::1', 7600),
    )
  })

  it('must have permissions, and be one that gRPC is spoken on', () => {
    expect(bytes('0100 00 616263')).toEqual({ problem: 'is an abstract Unix socket, which has no permissions' })
    expect(bytes('0100')).toHaveProperty('problem')
    expect(bytes('2800 0000')).toEqual({ problem: 'is neither a Unix socket nor one of TCP, but of address family 40' })
  })
})

describe('--listen fd://', () => {
  const HANDED: readonly HandedSocket[] = [
    { fd: 3, name: 'local', address: SOCKET },
    { fd: 4, name: 'remote', address: tcpAddress('127.0.0.1', 7600) },
    { fd: 5, name: '', address: { problem: 'is not a stream socket that listens' } },
    { fd: 6, name: 'open', address: tcpAddress('0.0.0.0', 7600) },
  ]
  const load = (line: string, handedOver: readonly HandedSocket[] | undefined = HANDED) => {
    const host = { env: { HOME: '/home/a' }, isRoot: false, isTerminal: false }
    return loadConfig(line.split(' '), handedOver === undefined ? host : { ...host, handedOver })
  }
  const listeners = (line: string, handedOver?: readonly HandedSocket[]) => {
    const loaded = load(line, handedOver)
    if (loaded.kind !== 'config') throw new Error(JSON.stringify(loaded))
    return loaded.config.listeners
  }
  const refusal = (line: string, handedOver?: readonly HandedSocket[]) => load(line, handedOver)

  it('is every socket, a name those of that name, and a number that one', () => {
    const both = HANDED.slice(0, 2)
    expect(listeners('--listen fd://', both).map(({ address }) => [address.fd, address.text])).toEqual([
      [3, 'unix:///run/ioasidd/ioasidd.sock'],
      [4, '127.0.0.1:7600'],
    ])
    expect(listeners('--listen fd://remote')).toEqual([
      { address: { ...tcpAddress('127.0.0.1', 7600), fd: 4 }, isAdmin: true },
    ])
    expect(listeners('--listen fd://3 --listen fd://local')).toHaveLength(1)
  })

  it('is held to what its real address is held to', () => {
    expect(refusal('--listen fd://open')).toMatchObject({
      kind: 'usage',
      sentence: expect.stringMatching(/^--listen 0\.0\.0\.0:7600 would serve other hosts without TLS/),
    })
    expect(listeners('--listen fd://open --insecure')).toMatchObject([{ isAdmin: false }])
    expect(listeners('--listen fd://local --no-admin fd://3')).toMatchObject([{ isAdmin: false }])
    expect(listeners('--listen fd://local --no-admin unix:///run/ioasidd/ioasidd.sock')).toMatchObject([
      { isAdmin: false },
    ])
  })

  it('is refused with what there is instead', () => {
    const sentence = (line: string, handedOver?: readonly HandedSocket[]) => {
      const loaded = refusal(line, handedOver)
      return loaded.kind === 'usage' ? loaded.sentence : loaded.kind
    }
    expect(sentence('--listen fd://', [])).toBe(
      "--listen does not take 'fd://': no socket was handed over, as a socket unit of systemd does by LISTEN_FDS and LISTEN_PID.",
    )
    expect(sentence('--listen fd://metrics')).toBe(
      "--listen does not take 'fd://metrics': the sockets handed over are 3 (local), 4 (remote), 5, 6 (open).",
    )
    expect(sentence('--listen fd://5')).toBe(
      "--listen does not take 'fd://5': descriptor 5 is not a stream socket that listens.",
    )
  })

  it('that leaves one out is warned of, since clients would wait there for ever', () => {
    const loaded = load('--listen fd://local', HANDED.slice(0, 2))
    expect(loaded).toMatchObject({ warnings: ['the socket 4 (remote) was handed over, but no --listen names it'] })
  })

  it('is no fault where nothing is started', () => {
    expect(loadConfig(['--listen', 'fd://'], { env: { HOME: '/' }, isRoot: true, isTerminal: false }).kind).toBe(
      'config',
    )
  })
})
