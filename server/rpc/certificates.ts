import type { Clock } from '../engine/clock.ts'
import {
  type CertificateProblem,
  type Certificates,
  type Contents,
  checkFiles,
  isSame,
  readFiles,
  type TlsFiles,
} from './certificate-files.ts'
import type { Log } from './log.ts'

/** The certificates that are in use, and what keeps them the ones of the files. */
export interface CertificateKeeper {
  readonly current: Certificates
  /** Reads the files now. What they hold is used if it is fit for use; else what there was stays, and this is why, for the caller to tell. */
  reload(): Promise<CertificateProblem | undefined>
  /** Looks no more. */
  close(): void
}

export interface KeeperOptions {
  readonly files: TlsFiles
  readonly clock: Pick<Clock, 'after' | 'wallMs'>
  /** Called with each that takes the place of another. */
  readonly use: (certificates: Certificates) => void
  readonly log: Log
}

/**
 * How often the files are read again. Not by events: those of a directory tell nothing when a link on the way to it is turned
 * to another one, as Kubernetes does, or when another host writes. Reading is exact, and so little costs nothing.
 */
export const LOOK_MS = 1000

/** A problem: they are not fit for a start. */
export async function keepCertificates(options: KeeperOptions): Promise<CertificateKeeper | CertificateProblem> {
  const { files, clock, use, log } = options
  let inUse: Contents = await readFiles(files)
  const first = checkFiles(inUse, clock.wallMs())
  if ('problem' in first) return first
  let current: Certificates = first
  let isClosed = false
  let lastSeen = inUse
  /** Told of already: a file that stays wrong is no news. */
  let refused: Contents | undefined

  const take = (contents: Contents): CertificateProblem | undefined => {
    const checked = checkFiles(contents, clock.wallMs())
    if ('problem' in checked) {
      refused = contents
      return checked
    }
    refused = undefined
    inUse = contents
    current = checked
    use(checked)
    log.info({ expires: new Date(checked.expiresMs).toISOString() }, 'the certificates were reloaded')
    return undefined
  }

  let reading: Promise<unknown> = Promise.resolve()
  /** One after the other: what was read earlier is not to be taken after what was read later. */
  const read = (then: (contents: Contents) => CertificateProblem | undefined) => {
    const taken = reading.then(() => readFiles(files)).then(then)
    reading = taken
    return taken
  }

  const look = (contents: Contents): undefined => {
    if (isClosed) return undefined
    // What is half written, or new in one file and old in another, does not stay so until the next look.
    const isSettled = isSame(contents, lastSeen)
    lastSeen = contents
    const isKnown = isSame(contents, inUse) || (refused !== undefined && isSame(contents, refused))
    const wrong = isSettled && !isKnown ? take(contents) : undefined
    if (wrong !== undefined) log.error(wrong, 'the certificates were not reloaded: those in use stay')
    lookLater()
  }
  let cancel: () => void = () => undefined
  const lookLater = () => {
    cancel = clock.after(LOOK_MS, () => void read(look))
  }
  lookLater()

  return {
    get current() {
      return current
    },
    reload: () => read((contents) => (isSame(contents, inUse) ? undefined : take(contents))),
    close: () => {
      isClosed = true
      cancel()
    },
  }
}
