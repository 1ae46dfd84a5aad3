import { status } from '@grpc/grpc-js'
import { messageCodec } from '../../proto/load.ts'
import type { Outcome } from './caller.ts'
import { isOurs } from './methods.ts'
import type { BadRequest } from './requests.ts'

/** What is wrong with how a request was answered; undefined: nothing. */
export function judge(request: BadRequest, outcome: Outcome, secrets: readonly string[]): string | undefined {
  switch (outcome.kind) {
    case 'late':
      return 'it was not answered'
    case 'silence':
      return undefined
    case 'http':
    case 'reset':
      return request.isHttp ? undefined : `it was answered with ${outcome.kind} ${outcome.code}`
    case 'status':
      return judgeStatus(request, outcome, secrets)
  }
}

/** With a reason in their details, where they come from the daemon's own code. */
const WITH_REASON: readonly number[] = [
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.ALREADY_EXISTS,
  status.PERMISSION_DENIED,
  status.FAILED_PRECONDITION,
  status.ABORTED,
  status.OUT_OF_RANGE,
]

const CLEAN: readonly number[] = [
  ...WITH_REASON,
  status.OK,
  status.RESOURCE_EXHAUSTED,
  // No message, two messages, an encoding or a path that there is not: grpc-js says it.
  status.UNIMPLEMENTED,
  // Of a timeout that the request asked for.
  status.DEADLINE_EXCEEDED,
]

/** INTERNAL where grpc-js itself answers, before the daemon's code sees anything: by the words that it uses. */
const GRPC_JS_INTERNAL: readonly (readonly [RegExp, (request: BadRequest) => boolean])[] = [
  [/^Failed to decompress message$/, ({ headers }) => 'grpc-encoding' in headers],
  [/^Invalid grpc-timeout value/, ({ headers }) => 'grpc-timeout' in headers],
  // Health and reflection have grpc-js's own deserializer.
  [/^Error deserializing request$/, ({ method }) => !isOurs(method)],
]

const MAX_MESSAGE_CHARACTERS = 1024

type Answered = Extract<Outcome, { readonly kind: 'status' }>

function judgeStatus(request: BadRequest, { code, message, details }: Answered, secrets: readonly string[]) {
  const said = decodeURI(message)
  if (secrets.some((secret) => said.includes(secret) || details?.includes(secret))) return 'it tells a handle'
  if (details !== undefined && said.length > MAX_MESSAGE_CHARACTERS) return `its message has ${said.length} characters`
  const { expect, path, method } = request
  if (expect !== undefined && !expect.includes(code)) {
    return `it was answered with ${status[code]}, and not ${expect.map((each) => status[each]).join(' or ')}: ${said.slice(0, 200)}`
  }
  if (code === status.INTERNAL) {
    const isKnown = GRPC_JS_INTERNAL.some(([words, where]) => words.test(said) && where(request))
    return isKnown ? undefined : `it was answered with INTERNAL: ${said.slice(0, 200)}`
  }
  if (!CLEAN.includes(code)) return `it was answered with ${status[code]}: ${said.slice(0, 200)}`
  if (!WITH_REASON.includes(code) || !isOurs(method) || path !== method.path) return undefined
  return details === undefined || reasonOf(details) === '' ? `${status[code]} without a reason: ${said}` : undefined
}

function reasonOf(details: Buffer): string {
  const rich = messageCodec('google.rpc.Status').deserialize(details)
  const info = rich.details.find(({ type_url }) => type_url.endsWith('/google.rpc.ErrorInfo'))
  return info === undefined ? '' : messageCodec('google.rpc.ErrorInfo').deserialize(info.value).reason
}
