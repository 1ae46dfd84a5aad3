import type { TlsFiles } from './rpc/certificate-files.ts'

/** What the flags for TLS come to together. '' is a file that is not named. */
interface TlsFlags {
  readonly 'cert-file': string
  readonly 'key-file': string
  readonly 'trusted-ca-file': string
  readonly 'client-cert-auth': boolean
}

/** undefined: listeners on TCP speak without TLS. */
export function tlsOf(flags: TlsFlags): TlsFiles | undefined {
  const { 'cert-file': certFile, 'key-file': keyFile, 'trusted-ca-file': trustedCaFile } = flags
  if (certFile === '') return undefined
  return { certFile, keyFile, trustedCaFile: trustedCaFile || undefined, clientCertAuth: flags['client-cert-auth'] }
}

/** Which of them needs another one that is missing: a sentence. */
export function checkTls(flags: TlsFlags): string | undefined {
  const { 'cert-file': certFile, 'key-file': keyFile, 'trusted-ca-file': trustedCaFile } = flags
  if (certFile !== '' && keyFile === '') return '--cert-file needs --key-file: the key of the certificate.'
  if (certFile === '' && keyFile !== '') return '--key-file needs --cert-file: the certificate that it is the key of.'
  if (certFile === '' && trustedCaFile !== '') {
    return '--trusted-ca-file needs --cert-file and --key-file: without TLS nobody shows a certificate.'
  }
  if (flags['client-cert-auth'] && trustedCaFile === '') {
    return '--client-cert-auth needs --trusted-ca-file: the CAs of which the certificates of clients may be.'
  }
  return undefined
}
