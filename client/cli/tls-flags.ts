import type { FieldViolation, TlsOptions } from '../index.ts'
import { readGiven } from './files.ts'

/** The options of TLS, which every command has. */
export interface TlsFlags {
  readonly cacert?: string
  readonly cert?: string
  readonly key?: string
  readonly serverName?: string
}

/** What a flag or the environment says of TLS. */
interface Given {
  readonly option: keyof TlsOptions
  /** The flag, or the variable. */
  readonly source: string
  /** The path of a file, but for the server's name. */
  readonly text: string
}

const isFlag = ({ source }: Given): boolean => source.startsWith('--')
const isFile = ({ option }: Given): boolean => option !== 'serverName'

/** A flag goes before the environment. None at all: no TLS. */
export function tlsGiven(
  env: Readonly<Record<string, string | undefined>>,
  { cacert, cert, key, serverName }: TlsFlags,
  endpoint: string | readonly string[] | undefined,
): readonly Given[] {
  const one = (option: Given['option'], flag: string, flagText: string | undefined, variable: string): Given[] => {
    if (flagText !== undefined) return [{ option, source: flag, text: flagText }]
    const text = env[variable]
    return text ? [{ option, source: variable, text }] : []
  }
  const given = [
    ...one('ca', '--cacert', cacert, 'IOASIDCTL_CACERT'),
    ...one('cert', '--cert', cert, 'IOASIDCTL_CERT'),
    ...one('key', '--key', key, 'IOASIDCTL_KEY'),
    ...(serverName === undefined ? [] : [{ option: 'serverName', source: '--server-name', text: serverName } as const]),
  ]
  // A shell's environment is for all daemons that are asked from it, and the one on a Unix socket has no TLS.
  const isSocket = endpoint === undefined || [endpoint].flat().every((each) => each.startsWith('unix:'))
  return isSocket && !given.some(isFlag) ? [] : given
}

/** With the files read; `refuse` ends the command. */
export async function readTls(
  given: readonly Given[],
  readFile: (path: string) => Promise<Uint8Array>,
  refuse: (sentence: string) => never,
): Promise<TlsOptions | undefined> {
  if (given.length === 0) return undefined
  const read = async (each: Given) => {
    const { option, source, text } = each
    return [option, isFile(each) ? await readGiven(readFile, source, text, refuse) : text] as const
  }
  return Object.fromEntries(await Promise.all(given.map(read)))
}

/** What the SDK found wrong, by the name of the flag or the variable; undefined: it is not about TLS. */
export function tlsRefusal(given: readonly Given[], { field, description }: FieldViolation): string | undefined {
  if (field === 'tls') {
    // Where it is wrong as a whole a flag is why: the environment alone would do no harm.
    const [first] = [...given.filter(isFlag), ...given]
    return first === undefined ? undefined : `${first.source}: ${description}`
  }
  const culprit = given.find(({ option }) => field === (option === 'serverName' ? 'tls.server_name' : `tls.${option}`))
  if (culprit === undefined) return undefined
  return `${culprit.source}: ${isFile(culprit) ? `'${culprit.text}': ` : ''}${description}`
}
