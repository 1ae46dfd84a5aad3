import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { credentials, makeClientConstructor } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { serviceDefinition } from '../../proto/load.ts'
import { startDaemon, type TestDaemon } from '../support/daemon.ts'
import { repositoryRoot } from '../support/repository.ts'

const run = promisify(execFile)

let daemon: TestDaemon

beforeAll(async () => {
  daemon = await startDaemon({ args: ['--store', 'memory'] })
})
afterAll(() => daemon.stop())

/** A client that has no file of ours: all it knows it has from the daemon. */
async function bufCurl(path: string, ...flags: string[]): Promise<string> {
  const args = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...flags, `http://${daemon.address}${path}`]
  const { stdout } = await run(join(repositoryRoot, 'node_modules/.bin/buf'), args)
  return stdout
}

describe.each(['grpc-v1', 'grpc-v1alpha'])('by reflection %s', (protocol) => {
  const reflect = ['--reflect-protocol', protocol]

  it('a client lists the services', async () => {
    expect((await bufCurl('', '--list-services', ...reflect)).trim().split('\n')).toEqual([
      'grpc.health.v1.Health',
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      'ioasid.v1.AdminService',
      'ioasid.v1.IoasidService',
      'ioasid.v1.LeaseService',
      'ioasid.v1.NotificationService',
      'ioasid.v1.SetService',
    ])
  })

  it('a client learns every method of every service', async () => {
    const methods = (await bufCurl('', '--list-methods', ...reflect)).trim().split('\n')
    expect(methods).toContain('ioasid.v1.IoasidService/Allocate')
    expect(methods).toContain('grpc.health.v1.Health/Check')
    expect(methods.length).toBeGreaterThan(30)
  })

  it('a client makes calls, and reads their errors', async () => {
    const data = (request: object) => ['--data', JSON.stringify(request), ...reflect]
    const token = `by-${protocol}`
    const created = await bufCurl('/ioasid.v1.SetService/CreateSet', ...data({ token, quota: 3 }))
    expect(JSON.parse(created)).toMatchObject({ set: { token, quota: 3 } })
    expect(JSON.parse(await bufCurl('/grpc.health.v1.Health/Check', ...data({})))).toEqual({ status: 'SERVING' })
    const again = bufCurl('/ioasid.v1.SetService/CreateSet', ...data({ token, quota: 3 }))
    await expect(again).rejects.toMatchObject({ stderr: expect.stringContaining('already_exists') })
  })

  it('a client that asks for what is not there is told so', async () => {
    await expect(bufCurl('/ioasid.v1.NoService/Call', '--data', '{}', ...reflect)).rejects.toMatchObject({
      stderr: expect.stringMatching(/failed to find service/),
    })
  })
})

describe('on one stream', () => {
  const questions: [object, object][] = [
    [{ list_services: '' }, { message_response: 'list_services_response' }],
    [{ file_by_filename: 'ioasid/v1/set_service.proto' }, { message_response: 'file_descriptor_response' }],
    [
      { file_by_filename: 'no/such.proto' },
      { error_response: { error_code: 5, error_message: 'There is no such file.' } },
    ],
    [{ file_containing_symbol: 'ioasid.v1.SetService' }, { message_response: 'file_descriptor_response' }],
    [{ file_containing_symbol: 'ioasid.v1.SetService.GetSet' }, { message_response: 'file_descriptor_response' }],
    [{ file_containing_symbol: 'ioasid.v1.Set.token' }, { message_response: 'file_descriptor_response' }],
    [{ file_containing_symbol: 'ioasid.v1.Notification.Type' }, { message_response: 'file_descriptor_response' }],
    [{ file_containing_symbol: 'ioasid.v1.Notification.BIND' }, { message_response: 'file_descriptor_response' }],
    [{ file_containing_symbol: 'google.protobuf.Any' }, { message_response: 'file_descriptor_response' }],
    [{ file_containing_symbol: 'ioasid.v1.Nothing' }, { error_response: { error_code: 5 } }],
    [{ file_containing_symbol: '' }, { error_response: { error_code: 5 } }],
    [{ all_extension_numbers_of_type: 'ioasid.v1.Set' }, { all_extension_numbers_response: { extension_number: [] } }],
    [{ all_extension_numbers_of_type: 'ioasid.v1.No' }, { error_response: { error_code: 5 } }],
    [{ file_containing_extension: { containing_type: 'ioasid.v1.Set' } }, { error_response: { error_code: 5 } }],
    [{}, { error_response: { error_code: 3 } }],
  ]

  it('every question has its answer, in turn', async () => {
    const name = 'grpc.reflection.v1.ServerReflection'
    const Client = makeClientConstructor(serviceDefinition(name), name)
    const client = new Client(daemon.address, credentials.createInsecure())
    const call = client['ServerReflectionInfo']?.()
    for (const [question] of questions) call.write({ host: 'here', ...question })
    call.end()
    const answers: object[] = []
    for await (const answer of call) answers.push(answer)
    expect(answers).toHaveLength(questions.length)
    for (const [at, [question, answer]] of questions.entries()) {
      expect(answers[at]).toMatchObject({ ...answer, valid_host: 'here', original_request: question })
    }
    client.close()
  })
})
