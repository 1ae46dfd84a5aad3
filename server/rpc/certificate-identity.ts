import type { X509Certificate } from 'node:crypto'
import { type Names, namesOf } from './certificate-names.ts'

/**
 * The identity that a certificate gives, '' for none: its SPIFFE id, else its first DNS name as `dns:host.example`, else its
 * common name as `cn:name`. A name that is there and not in order gives none, and is not passed over for the next kind: who
 * could choose it would choose which name counts. That the certificate is to be trusted must have been found out before.
 */
export function identityOf(certificate: X509Certificate): string {
  // One that signs others is nobody's own.
  if (certificate.ca) return ''
  const names = namesOf(certificate.raw)
  return names === undefined ? '' : identityOfNames(names)
}

function identityOfNames({ uris, dnsNames, commonNames }: Names): string {
  const [uri] = uris
  // Which of them would be the identity no rule says (X.509-SVID, section 5.2).
  if (uris.length > 1) return ''
  if (uri !== undefined && /^spiffe:/i.test(uri)) return isSpiffeId(uri) ? uri : ''
  const [dnsName] = dnsNames
  if (dnsName !== undefined) return isHostName(dnsName) ? `dns:${dnsName.toLowerCase()}` : ''
  const [commonName, ...others] = commonNames
  return commonName !== undefined && others.length === 0 && isPlain(commonName) ? `cn:${commonName}` : ''
}

const MAX_SPIFFE_ID = 2048
const MAX_TRUST_DOMAIN = 255

/** SPIFFE-ID, section 2, and of what is no CA's: it has a path. No percent-encoding, so each id has one spelling. */
function isSpiffeId(uri: string): boolean {
  const [, trustDomain = '', path = ''] = /^spiffe:\/\/([a-z0-9._-]+)((?:\/[A-Za-z0-9._-]+)+)$/.exec(uri) ?? []
  if (path === '' || uri.length > MAX_SPIFFE_ID || trustDomain.length > MAX_TRUST_DOMAIN) return false
  return path.split('/').every((segment) => segment !== '.' && segment !== '..')
}

/** No wildcard: it is many hosts' name, and nobody's identity. */
const HOST_NAME = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i
const MAX_HOST_NAME = 253

function isHostName(name: string): boolean {
  return name.length <= MAX_HOST_NAME && HOST_NAME.test(name)
}

const MAX_COMMON_NAME = 255

/** ASCII that can be seen, with spaces only between: what looks the same is the same. */
function isPlain(name: string): boolean {
  return name.length <= MAX_COMMON_NAME && /^[!-~]+( [!-~]+)*$/.test(name)
}
