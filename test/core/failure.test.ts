import { describe, expect, it } from 'vitest'
import { fail, isFailure } from '../../server/core/failure.ts'

describe('a failure', () => {
  it('names its facts as texts, and leaves out those that are not known', () => {
    const failure = fail('WRONG_SET', 'It is not.', { ioasid: 7, token: 'vm-a', spid: undefined })
    expect(failure).toEqual({ reason: 'WRONG_SET', message: 'It is not.', metadata: { ioasid: '7', token: 'vm-a' } })
    expect(Object.keys(failure.metadata)).toEqual(['ioasid', 'token'])
    expect(isFailure(failure)).toBe(true)
  })
})
