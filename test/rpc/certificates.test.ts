import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Certificates, checkFiles, readFiles, type TlsFiles } from '../../server/rpc/certificate-files.ts'
import { keepCertificates, LOOK_MS } from '../../server/rpc/certificates.ts'
import { client, otherCa } from '../support/certificates.ts'
import { fleetCa, leafKey, leaves } from '../support/fleet-certificates.ts'
import { createManualClock } from '../support/manual-clock.ts'

type Written = Partial<Record<'cert' | 'key' | 'ca', string>>

const FIT: Written = { cert: leaves.server, key: leafKey, ca: fleetCa }

function directory() {
  const made = mkdtempSync(join(tmpdir(), 'ioasidd-certificates-'))
  onTestFinished(() => rmSync(made, { recursive: true }))
  return made
}

function write(place: string, files: Written) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text)
}

function filesIn(place: string): TlsFiles {
  const [certFile = '', keyFile = '', trustedCaFile] = ['cert', 'key', 'ca'].map((name) => join(place, name))
  return { certFile, keyFile, trustedCaFile, clientCertAuth: true }
}

/** In a directory with files that fit each other. */
async function kept(place = directory()) {
  write(place, FIT)
  const clock = createManualClock()
  const used: Certificates[] = []
  const lines: string[] = []
  const line = (facts: object, message: string) => void lines.push(`${message} ${JSON.stringify(facts)}`)
  const log = { debug: line, info: line, warn: line, error: line }
  const use = (certificates: Certificates) => void used.push(certificates)
  const keeper = await keepCertificates({ files: filesIn(place), clock, use, log })
  if ('problem' in keeper) throw new Error(keeper.problem)
  onTestFinished(keeper.close)
  /** So many times it looks. */
  const look = async (times: number) => {
    for (let time = 0; time < times; time++) {
      clock.advance(LOOK_MS)
      await expect.poll(() => clock.timers).toBe(1)
    }
  }
  const certs = () => used.map(({ options }) => String(options.cert))
  return { place, keeper, clock, lines, certs, look }
}

describe('files that change', () => {
  it('are used when they have stayed the same from one look to the next', async () => {
    const { place, keeper, certs, look, lines } = await kept()
    await look(2)
    expect(keeper.current.expiresMs).toBe(Date.UTC(2120, 0, 1))
    write(place, { cert: leaves.renewed })
    await look(1)
    expect(certs()).toEqual([])
    await look(5)
    expect(certs()).toEqual([leaves.renewed])
    expect(String(keeper.current.options.cert)).toBe(leaves.renewed)
    expect(lines).toEqual(['the certificates were reloaded {"expires":"2120-01-01T00:00:00.000Z"}'])
  })

  it('are used when a link on the way to them leads elsewhere', async () => {
    const place = directory()
    for (const [name, cert] of [
      ['old', leaves.server],
      ['new', leaves.renewed],
    ] as const) {
      mkdirSync(join(place, name))
      write(join(place, name), { ...FIT, cert })
    }
    symlinkSync('old', join(place, '..data'))
    const { certs, look } = await kept(join(place, '..data'))
    symlinkSync('new', join(place, '..next'))
    renameSync(join(place, '..next'), join(place, '..data'))
    await look(3)
    expect(certs()).toEqual([leaves.renewed])
  })

  it('are left alone while they are written, and nobody hears of it', async () => {
    const { place, certs, look, lines } = await kept()
    for (const cert of ['', leaves.renewed.slice(0, 100), leaves.renewed.slice(0, 300), leaves.renewed]) {
      write(place, { cert })
      await look(1)
    }
    await look(1)
    expect(certs()).toEqual([leaves.renewed])
    expect(lines).toHaveLength(1)
  })

  it('and do not fit each other leave those in use as they are, and take one line in the log', async () => {
    const { place, keeper, certs, look, lines } = await kept()
    write(place, { cert: client.cert })
    await look(6)
    expect(certs()).toEqual([])
    expect(String(keeper.current.options.cert)).toBe(leaves.server)
    expect(lines).toEqual([expect.stringContaining(`--key-file ${place}/key is not the key of --cert-file`)])
    write(place, { key: client.key })
    await look(3)
    expect(certs()).toEqual([client.cert])
  })

  it('and are gone leave those in use as they are, and are no news when they are back', async () => {
    const { place, certs, look, lines } = await kept()
    rmSync(join(place, 'cert'))
    await look(4)
    write(place, { cert: leaves.server })
    await look(4)
    expect(certs()).toEqual([])
    expect(lines).toEqual([expect.stringMatching(/--cert-file \S+ cannot be read: ENOENT/)])
  })

  it('are used at once when somebody asks for it, or it is said why not', async () => {
    const { place, keeper, certs } = await kept()
    expect(await keeper.reload()).toBeUndefined()
    expect(certs()).toEqual([])
    write(place, { ca: `${fleetCa}${otherCa}` })
    expect(await keeper.reload()).toBeUndefined()
    expect(certs()).toEqual([leaves.server])
    write(place, { key: 'none' })
    expect(await keeper.reload()).toEqual({ problem: expect.stringContaining(`--key-file ${place}/key`) })
    expect(certs()).toEqual([leaves.server])
  })

  it('are not looked at any more after the end', async () => {
    const { keeper, clock } = await kept()
    keeper.close()
    expect(clock.timers).toBe(0)
  })
})

describe('files that are not fit for use are refused in a sentence:', () => {
  const damaged = leaves.server.replace(/\n[^-]{20}/, '\n')
  const encrypted = leafKey.replaceAll('PRIVATE', 'ENCRYPTED PRIVATE')
  it.each<[string, Written, RegExp]>([
    ['no certificate', { cert: leafKey }, /^--cert-file \S+\/cert holds no certificate in PEM, or one that is damaged/],
    ['an empty file', { cert: '' }, /^--cert-file \S+ holds no certificate/],
    ['half a certificate', { cert: leaves.server.slice(0, 300) }, /^--cert-file \S+ holds no certificate/],
    ['a damaged certificate', { cert: damaged }, /^--cert-file \S+ holds no certificate/],
    ['a damaged one after the first', { cert: leaves.server + damaged }, /^--cert-file \S+ holds no certificate/],
    ['a certificate of before', { cert: leaves.expired }, /^--cert-file \S+ holds a certificate that expired on Jan/],
    ['no key', { key: leaves.server }, /^--key-file \S+ or --cert-file \S+ cannot be used: /],
    ['the key of another', { key: client.key }, /^--key-file \S+\/key is not the key of --cert-file \S+\/cert$/],
    ['an encrypted key', { key: encrypted }, /^--key-file \S+ holds an encrypted key: one without a passphrase/],
    ['no CA', { ca: 'none' }, /^--trusted-ca-file \S+\/ca holds no certificate in PEM/],
    ['a damaged CA beside another', { ca: fleetCa + damaged }, /^--trusted-ca-file \S+ holds no certificate in PEM/],
    ['a CA of before', { ca: leaves.lapsed }, /^--trusted-ca-file \S+ holds only certificates that are not valid now$/],
  ])('%s', async (_what, wrong, sentence) => {
    const place = directory()
    write(place, { ...FIT, ...wrong })
    expect(checkFiles(await readFiles(filesIn(place)), Date.parse('2026-01-01'))).toEqual({
      problem: expect.stringMatching(sentence),
    })
  })

  it('what is no file, or too large, or only valid later', async () => {
    const place = directory()
    write(place, FIT)
    const problem = async (changes: Partial<TlsFiles>, now = '2026-01-01') =>
      checkFiles(await readFiles({ ...filesIn(place), ...changes }), Date.parse(now))
    expect(await problem({ keyFile: place })).toMatchObject({
      problem: `--key-file ${place} cannot be read: it is no file`,
    })
    spawnSync('mkfifo', [join(place, 'pipe')])
    expect(await problem({ keyFile: join(place, 'pipe') })).toMatchObject({
      problem: expect.stringContaining('no file'),
    })
    expect(await problem({ certFile: '/dev/zero' })).toMatchObject({ problem: expect.stringContaining('no file') })
    write(place, { ca: ' '.repeat(2 ** 22 + 1) })
    expect(await problem({})).toMatchObject({
      problem: expect.stringMatching(/^--trusted-ca-file .* more than 4194304/),
    })
    expect(await problem({ trustedCaFile: undefined }, '2019-12-31')).toMatchObject({
      problem: expect.stringMatching(/^--cert-file \S+ holds a certificate that is valid only from Jan/),
    })
    expect(await problem({ trustedCaFile: undefined })).toMatchObject({ expiresMs: Date.UTC(2120, 0, 1) })
  })
})
