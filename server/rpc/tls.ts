import type { Clock } from '../engine/clock.ts'
import type { CertificateProblem, TlsFiles } from './certificate-files.ts'
import { keepCertificates } from './certificates.ts'
import type { Log } from './log.ts'
import { createSecure, type Secure } from './secure.ts'

/** TLS of all listeners on TCP: one certificate, one set of trusted CAs. */
export interface Tls {
  readonly secure: Secure
  /** Reads the files now; undefined: what is in use is what they hold. They are also read again by themselves. */
  reload(): Promise<CertificateProblem | undefined>
  /** When the certificate in use ends, in milliseconds since 1970. */
  certificateExpiry(): number
  close(): void
}

export async function startTls(
  files: TlsFiles,
  clock: Pick<Clock, 'after' | 'wallMs'>,
  log: Log,
): Promise<Tls | CertificateProblem> {
  let secure: Secure | undefined
  const keeper = await keepCertificates({ files, clock, use: (certificates) => secure?.use(certificates), log })
  if ('problem' in keeper) return keeper
  const created = createSecure({
    certificates: keeper.current,
    asksForCertificate: files.trustedCaFile !== undefined,
    needsCertificate: files.clientCertAuth,
    after: clock.after,
    log,
  })
  secure = created
  return {
    secure: created,
    reload: keeper.reload,
    certificateExpiry: () => keeper.current.expiresMs,
    close: () => {
      keeper.close()
      created.close()
    },
  }
}
