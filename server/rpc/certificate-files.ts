import { constants as crypto, X509Certificate } from 'node:crypto'
import { constants, type FileHandle, open } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

/** Where TLS finds what it needs, in PEM. */
export interface TlsFiles {
  /** `--cert-file`: the daemon's certificate, and the ones between it and its CA. */
  readonly certFile: string
  /** `--key-file`: the key of it, not encrypted. */
  readonly keyFile: string
  /** `--trusted-ca-file`: the CAs of which a client's certificate may be. undefined: clients are not asked for one. */
  readonly trustedCaFile: string | undefined
  /** `--client-cert-auth`: who has no certificate is not served. */
  readonly clientCertAuth: boolean
}

/** The contents of the files, as they were read one after the other: they need not fit each other. */
export type Contents = readonly Content[]

interface Content {
  readonly flag: '--cert-file' | '--key-file' | '--trusted-ca-file'
  readonly path: string
  /** Or why it cannot be read. */
  readonly read: Buffer | string
}

/** What the files hold, checked and fit for use. */
export interface Certificates {
  /** All that TLS is set up with: nothing of before is left when others take their place. */
  readonly options: SecureContextOptions
  /** When the daemon's certificate ends, in milliseconds since 1970. */
  readonly expiresMs: number
}

/** Why they are not fit: a sentence for an operator, which names the flag. */
export interface CertificateProblem {
  readonly problem: string
}

/**
 * No resumption: a peer would come back by a session of before, without the certificate being looked at again, when its CA
 * has long been removed. And no second handshake within a connection: its peer stays who it was.
 */
const SETTINGS = {
  minVersion: 'TLSv1.2',
  // Those of TLS 1.2 that HTTP/2 allows (RFC 9113, section 9.2.2), all with forward secrecy; TLS 1.3 has no others.
  ciphers: [
    'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305',
  ].join(':'),
  secureOptions: crypto.SSL_OP_NO_TICKET | crypto.SSL_OP_NO_RENEGOTIATION,
} satisfies SecureContextOptions

/** Far more than all public CAs take. A path that leads to something endless must not. */
const MAX_FILE_BYTES = 4 * 1024 * 1024

export async function readFiles({ certFile, keyFile, trustedCaFile }: TlsFiles): Promise<Contents> {
  const files: Omit<Content, 'read'>[] = [
    { flag: '--cert-file', path: certFile },
    { flag: '--key-file', path: keyFile },
  ]
  if (trustedCaFile !== undefined) files.push({ flag: '--trusted-ca-file', path: trustedCaFile })
  return await Promise.all(files.map(async (file) => ({ ...file, read: await readFile(file.path) })))
}

async function readFile(path: string): Promise<Content['read']> {
  try {
    // A pipe is not waited for until somebody writes to it.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      return await contentOf(file)
    } finally {
      await file.close()
    }
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  }
}

async function contentOf(file: FileHandle): Promise<Content['read']> {
  const stat = await file.stat()
  if (!stat.isFile()) return 'it is no file'
  if (stat.size > MAX_FILE_BYTES) return `it has more than ${MAX_FILE_BYTES} bytes`
  return await file.readFile()
}

export function isSame(one: Contents, other: Contents): boolean {
  return one.every(({ read }, index) => {
    const also = other[index]?.read
    return Buffer.isBuffer(read) && Buffer.isBuffer(also) ? read.equals(also) : read === also
  })
}

/** `nowMs`, since 1970: a certificate that nobody would accept any more, or yet, is refused. */
export function checkFiles(contents: Contents, nowMs: number): Certificates | CertificateProblem {
  const [cert, key, ca] = contents
  if (cert === undefined || key === undefined) throw new Error('a bug: files are missing')
  const unreadable = contents.find(({ read }) => typeof read === 'string')
  if (unreadable !== undefined) return problem(unreadable, `cannot be read: ${String(unreadable.read)}`)
  const [own] = certificatesOf(cert)
  if (own === undefined) return problem(cert, 'holds no certificate in PEM, or one that is damaged or not whole')
  if (key.read.toString().includes('ENCRYPTED'))
    return problem(key, 'holds an encrypted key: one without a passphrase is wanted')
  const untimely = untimeliness(own, nowMs)
  if (untimely !== undefined) return problem(cert, `holds a certificate that ${untimely}`)
  const trusted = ca === undefined ? undefined : certificatesOf(ca)
  if (ca !== undefined && trusted?.length === 0) {
    return problem(ca, 'holds no certificate in PEM, or one that is damaged or not whole')
  }
  if (ca !== undefined && trusted?.every((one) => untimeliness(one, nowMs) !== undefined)) {
    return problem(ca, 'holds only certificates that are not valid now')
  }
  return load(cert, key, ca, Date.parse(own.validTo))
}

function load(
  cert: Content,
  key: Content,
  ca: Content | undefined,
  expiresMs: number,
): Certificates | CertificateProblem {
  const options = { ...SETTINGS, cert: cert.read, key: key.read, ...(ca === undefined ? {} : { ca: ca.read }) }
  try {
    createSecureContext(options)
    return { options, expiresMs }
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause)
    if (said.includes('key values mismatch')) return problem(key, `is not the key of --cert-file ${cert.path}`)
    // A key is the only thing that only this reads.
    return problem(key, `or --cert-file ${cert.path} cannot be used: ${reasonOf(said)}`)
  }
}

function problem({ flag, path }: Content, what: string): CertificateProblem {
  return { problem: `${flag} ${path} ${what}` }
}

/** All that PEM holds, in its order; none where one of them is no certificate: Node would leave that one out without a word. */
function certificatesOf({ read }: Content): readonly X509Certificate[] {
  const blocks = read.toString('latin1').match(/-----BEGIN CERTIFICATE-----[^-]*(-----END CERTIFICATE-----)?/g) ?? []
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return []
  }
}

function untimeliness({ validFrom, validTo }: X509Certificate, nowMs: number): string | undefined {
  if (nowMs >= Date.parse(validTo)) return `expired on ${validTo}`
  if (nowMs < Date.parse(validFrom)) return `is valid only from ${validFrom} on`
  return undefined
}

/** Of `error:CODE:library:function:reason`, with more behind it or not. */
function reasonOf(said: string): string {
  const [, reason = said] = /error:[0-9A-F]+:[^:]*:[^:]*:([^:]+)/.exec(said) ?? []
  return reason
}
