import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { overBytes } from '../../server/rpc/definitions.ts'
import { INTERNAL_MESSAGE } from '../../server/rpc/status.ts'

const request = messageCodec('ioasid.v1.AllocateRequest').serialize({})

/** What a handler that answers like this comes to, and what is logged of it. */
function answered(response: unknown) {
  const errors: object[] = []
  const ignore = () => undefined
  const log = { debug: ignore, info: ignore, warn: ignore, error: (facts: object) => errors.push(facts) }
  const handler = (_call: unknown, callback: (error: null, response: unknown) => void) => callback(null, response)
  const { implementation } = overBytes(log, 'ioasid.v1.IoasidService', { Allocate: handler })
  const told: unknown[] = []
  const serve = implementation['Allocate'] as (call: object, callback: (...told: unknown[]) => void) => void
  serve({ request }, (...words) => told.push(words))
  return { told, errors }
}

test('an answer is told once, as the bytes of its message', () => {
  const { told, errors } = answered({ ioasids: [7], revision: 3 })
  const bytes = messageCodec('ioasid.v1.AllocateResponse').serialize({ ioasids: [7], revision: '3' })
  expect(told).toEqual([[null, bytes]])
  expect(errors).toEqual([])
})

test('an answer that is no message of its method is a bug: INTERNAL with a fixed sentence, and logged', () => {
  const { told, errors } = answered({ ioasids: 'seven' })
  expect(told).toEqual([[expect.objectContaining({ code: status.INTERNAL, details: INTERNAL_MESSAGE })]])
  expect(errors).toMatchObject([{ method: 'Allocate', cause: expect.any(Error) }])
})
