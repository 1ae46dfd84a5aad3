import { execFile } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type ChannelCredentials, credentials, Metadata, makeClientConstructor, type ServiceError } from '@grpc/grpc-js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connect } from '../../client/index.ts'
import { serviceDefinition } from '../../proto/load.ts'
import { client, stranger } from '../support/certificates.ts'
import { runDaemon, startDaemon, tempDir } from '../support/daemon.ts'
import { fleetCa, leafKey, leaves } from '../support/fleet-certificates.ts'
import { repositoryRoot } from '../support/repository.ts'
import { shownCertificate } from '../support/shown-certificate.ts'

const run = promisify(execFile)

const FILES = {
  'server.crt': leaves.server,
  'server.key': leafKey,
  'ca.crt': fleetCa,
  'vm-a.crt': leaves.spiffe,
  'vm-a.key': leafKey,
  'stranger.crt': stranger.cert,
  'stranger.key': stranger.key,
}

/** Its files in a directory of their own, and the flags that name them. */
function certificates() {
  const directory = tempDir()
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(directory, name), text)
  const at = (name: keyof typeof FILES) => join(directory, name)
  const server = ['--cert-file', at('server.crt'), '--key-file', at('server.key')]
  return { at, server, mutual: [...server, '--trusted-ca-file', at('ca.crt'), '--client-cert-auth'] }
}

const MEMORY = ['--store', 'memory', '--log-format', 'json']
const TENANT = { ca: fleetCa, cert: leaves.spiffe, key: leafKey, serverName: 'localhost' }

describe('a daemon with a certificate', () => {
  it('is called by ioasidctl with one of its own, by IPv4 and IPv6, and by its Unix socket as ever', async () => {
    const { at, mutual } = certificates()
    const listen = ['127.0.0.1:0', '[::1]:0', `unix://${tempDir()}/x.sock`]
    const daemon = await startDaemon({ listen, args: [...MEMORY, ...mutual] })
    const [v4 = '', v6 = '', unix = ''] = daemon.addresses
    const ioasidctl = async (endpoint: string, ...args: string[]) => {
      const tool = join(repositoryRoot, 'dist/ioasidctl/main.js')
      const ended = run(process.execPath, [tool, '--endpoint', endpoint, ...args])
      return await ended.then(
        ({ stdout }) => stdout,
        ({ code, stderr }) => `${code}: ${stderr}`,
      )
    }
    const trust = ['--cacert', at('ca.crt'), '--server-name', 'localhost']
    const own = [...trust, '--cert', at('vm-a.crt'), '--key', at('vm-a.key')]
    for (const endpoint of [v4, v6]) expect(await ioasidctl(endpoint, ...own, 'health')).toBe('status  SERVING\n')
    expect(await ioasidctl(unix, 'health')).toBe('status  SERVING\n')

    const once = ['--deadline', '2s', 'health']
    expect(await ioasidctl(v4, ...trust, ...once)).toMatch(/^4: .*a client's certificate (is|may be) wanted there/)
    const strange = [...trust, '--cert', at('stranger.crt'), '--key', at('stranger.key')]
    expect(await ioasidctl(v6, ...strange, ...once)).toMatch(/^4: .*certificate may not be trusted there/)
    expect(await ioasidctl(v4, ...once)).toMatch(/^4: .*TLS may be wanted there/)
    expect(await daemon.stop()).toMatchObject({ code: 0 })
  })

  it('knows each caller by the certificate, or the user, that it comes with', async () => {
    const { server, at } = certificates()
    const listen = ['127.0.0.1:0', `unix://${tempDir()}/x.sock`]
    const daemon = await startDaemon({ listen, args: [...MEMORY, ...server, '--trusted-ca-file', at('ca.crt')] })
    const [tcp = '', unix = ''] = daemon.addresses
    const secret = (cert?: string) => {
      const own = cert === undefined ? null : Buffer.from(cert)
      return credentials.createSsl(Buffer.from(fleetCa), own && Buffer.from(leafKey), own)
    }
    expect(await ownerOf(tcp, secret(leaves.spiffe))).toBe('spiffe://example.org/vm-a')
    expect(await ownerOf(tcp, secret(leaves.dns))).toBe('dns:host.example')
    expect(await ownerOf(tcp, secret(leaves.cn))).toBe('cn:uid:0')
    expect(await ownerOf(tcp, secret(leaves.commas))).toBe('')
    expect(await ownerOf(tcp, secret())).toBe('')
    expect(await ownerOf(unix, credentials.createInsecure())).toBe(`uid:${process.getuid?.()}`)
    await daemon.stop()
  })

  it('changes it under load without one failed call, and half-written files change nothing', async () => {
    const { at, mutual } = certificates()
    const daemon = await startDaemon({ args: [...MEMORY, ...mutual] })
    const replace = (name: keyof typeof FILES, text: string) => {
      writeFileSync(`${at(name)}.new`, text)
      renameSync(`${at(name)}.new`, at(name))
    }
    let isOver = false
    let calls = 0
    const caller = async (isLasting: boolean) => {
      let sdk = connectAs(daemon.address)
      for (; !isOver; calls += 1) {
        await sdk.getStatus()
        if (isLasting) continue
        await sdk.close()
        sdk = connectAs(daemon.address)
      }
      await sdk.close()
    }
    // Any call that fails rejects here.
    const callers = Promise.all([caller(true), caller(true), caller(false), caller(false)])
    const seen = () => expect.poll(() => certificateAt(daemon.address), { timeout: 20_000 })
    const wasCalled = async () => {
      const before = calls
      await Promise.race([callers, expect.poll(() => calls, { timeout: 20_000 }).toBeGreaterThan(before + 100)])
    }
    await seen().toBe('first')
    for (const round of [1, 2]) {
      replace('server.crt', leaves.renewed)
      await seen().toBe('renewed')
      await wasCalled()
      writeFileSync(at('server.crt'), leaves.server.slice(0, 200 * round))
      daemon.signal('SIGHUP')
      await wasCalled()
      expect(await certificateAt(daemon.address)).toBe('renewed')
      replace('ca.crt', `${fleetCa}\n${fleetCa}`)
      replace('server.crt', leaves.server)
      daemon.signal('SIGHUP')
      await seen().toBe('first')
      await wasCalled()
    }
    isOver = true
    await callers
    const { code, stderr } = await daemon.stop()
    expect(code).toBe(0)
    expect(stderr).toContain('the certificates were reloaded')
    expect(stderr).toMatch(
      /not reloaded, what was there stays: --cert-file \S+ holds no certificate|"problem":"--cert-file \S+ holds no/,
    )
    expect(stderr).not.toContain('handshake failed')
  })

  it('lets who is connected stay when it trusts their CA no more, and nobody in who comes by it', async () => {
    const { at, mutual } = certificates()
    const daemon = await startDaemon({ args: [...MEMORY, ...mutual] })
    const connected = connectAs(daemon.address)
    await connected.getStatus()
    writeFileSync(at('ca.crt'), client.cert)
    daemon.signal('SIGHUP')
    await expect.poll(() => daemon.output.stderr).toContain('the certificates were reloaded')
    await connected.getStatus()
    await expect(connectAs(daemon.address).getStatus()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await connected.getStatus()
    await daemon.stop()
  })

  it('ends, when it is told to, with handshakes under way', async () => {
    const { server } = certificates()
    const daemon = await startDaemon({ args: [...MEMORY, ...server] })
    const [host = '', port = ''] = daemon.address.split(':')
    const silent = connectPlain(Number(port), host).on('error', () => undefined)
    await new Promise((resolve) => silent.once('connect', resolve))
    await connectAs(daemon.address).getStatus()
    const began = performance.now()
    expect(await daemon.stop()).toMatchObject({ code: 0 })
    // It would wait three seconds for a peer that does not read.
    expect(performance.now() - began).toBeLessThan(2500)
  })
})

it('a client with TLS is turned away at once by a listener without', async () => {
  const daemon = await startDaemon({ args: MEMORY })
  await expect(certificateAt(daemon.address)).rejects.toThrow()
  await expect(connectAs(daemon.address).getStatus()).rejects.toMatchObject({
    message: expect.stringContaining('no TLS is spoken there'),
  })
  expect(await daemon.stop()).toMatchObject({ code: 0 })
})

describe('a daemon is not started', () => {
  it.each<[string, (files: ReturnType<typeof certificates>) => string[], RegExp]>([
    [
      'with a file that is not there',
      ({ server }) => [...server, '--trusted-ca-file', '/nowhere/ca'],
      /^ioasidd: --trusted-ca-file \/nowhere\/ca cannot be read: ENOENT.*\.$/,
    ],
    [
      'with the key of another certificate',
      ({ at }) => ['--cert-file', at('server.crt'), '--key-file', at('stranger.key')],
      /^ioasidd: --key-file \S+ is not the key of --cert-file \S+\.$/,
    ],
  ])('%s', async (_what, flags, sentence) => {
    const { code, stderr } = await runDaemon([...MEMORY, '--listen', '127.0.0.1:0', ...flags(certificates())])
    expect(code).toBe(1)
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(sentence)
  })
})

/** One call, one try. */
function connectAs(endpoint: string) {
  const sdk = connect({ endpoint, tls: TENANT, deadlineMs: 20_000, retry: { maxAttempts: 1 } })
  onTestFinished(sdk.close)
  return sdk
}

const certificateAt = (address: string) => shownCertificate(address, { ca: fleetCa, cert: leaves.dns, key: leafKey })

/** Whose a set is that is made there. */
function ownerOf(address: string, secret: ChannelCredentials): Promise<unknown> {
  const Service = makeClientConstructor(serviceDefinition('ioasid.v1.SetService'), 'SetService')
  const options = { 'grpc.ssl_target_name_override': 'localhost', 'grpc.use_local_subchannel_pool': 1 }
  const service = new Service(address, secret, options)
  onTestFinished(() => service.close())
  return new Promise((resolve, reject) => {
    const done = (error: ServiceError | null, answer?: { set: { owner?: string } }) =>
      error === null ? resolve(answer?.set.owner) : reject(error)
    service['CreateSet']?.({ quota: '1' }, new Metadata(), { deadline: Date.now() + 20_000 }, done)
  })
}
