import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader'
import { describe, expect, it } from 'vitest'
import type { Notification__Output } from '../../proto/gen/ioasid/v1/Notification.ts'
import { messageCodec, packageDefinition, readDescriptorSet, serviceDefinition } from '../../proto/load.ts'
import { CONVERSION } from '../../proto/names.ts'

const LARGEST_UINT64 = '18446744073709551615'

describe('the definitions', () => {
  it('are loaded with the options that made their types', () => {
    const flags = Object.entries(CONVERSION).map(([name, value]) =>
      value === true ? `'--${name}'` : `'--${name}=${value.name}'`,
    )
    const generator = readFileSync(new URL('../../proto/generate.mjs', import.meta.url), 'utf8')
    expect(generator).toContain(`const typeOptions = [${flags.join(', ')}]`)
  })

  it('keep field names, 64-bit numbers and the names of enum values through the wire', () => {
    const { serialize, deserialize } = messageCodec('ioasid.v1.Notification')
    const decoded: Notification__Output = deserialize(serialize({ type: 'BIND', set_id: LARGEST_UINT64, spid: 0 }))
    expect(decoded).toMatchObject({ type: 'BIND', set_id: LARGEST_UINT64, spid: 0, token: '', snapshot: false })
    expect(decoded).not.toHaveProperty('ioasid')
  })

  it('name the member of a oneof that is present', () => {
    const { serialize, deserialize } = messageCodec('ioasid.v1.SubscribeRequest')
    expect(deserialize(serialize({ after_revision: '0' }))).toMatchObject({
      start: 'after_revision',
      after_revision: '0',
    })
    expect(deserialize(serialize({}))).not.toHaveProperty('start')
  })

  it('give each method its path', () => {
    expect(serviceDefinition('ioasid.v1.NotificationService').Subscribe).toMatchObject({
      path: '/ioasid.v1.NotificationService/Subscribe',
      requestStream: false,
      responseStream: true,
    })
  })

  it('are what the files say', () => {
    const directory = fileURLToPath(new URL('../../proto', import.meta.url))
    const files = readdirSync(directory, { encoding: 'utf8', recursive: true }).filter((path) =>
      path.endsWith('.proto'),
    )
    const parsed = loadSync(files.sort(), { ...CONVERSION, includeDirs: [directory] })
    expect(JSON.stringify(packageDefinition)).toBe(JSON.stringify(parsed))
  })

  it('are the same, imports included, in the descriptor set', () => {
    const described = Object.keys(loadFileDescriptorSetFromBuffer(readDescriptorSet()))
    expect(described.sort()).toEqual(Object.keys(packageDefinition).sort())
  })
})
