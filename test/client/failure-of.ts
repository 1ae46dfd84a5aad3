import { IoasidError } from '../../client/index.ts'

/** What a call was refused with. */
export async function failureOf(promise: Promise<unknown>): Promise<IoasidError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof IoasidError)) throw new Error(`no IoasidError: ${error}`)
  return error
}
