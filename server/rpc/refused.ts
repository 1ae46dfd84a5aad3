import { type Failure, fail } from '../core/failure.ts'

/** How the decoding of a request gives up, from however deep; caught where a call is answered, and nowhere else. */
export class Refused extends Error {
  readonly failure: Failure

  constructor(failure: Failure) {
    super(failure.message)
    this.name = 'Refused'
    this.failure = failure
  }
}

export function refuse(failure: Failure): never {
  throw new Refused(failure)
}

/** The field is named by its path in the request's message; what is wrong is said without it. */
export function refuseField(field: string, wrong: string): never {
  return refuse(fail('INVALID_FIELD', `${field}: ${wrong}`, { field }))
}
