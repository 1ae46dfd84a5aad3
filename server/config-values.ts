import { isIP } from 'node:net'
import { type Address, type HandedOver, handedOver, type TcpAddress, tcpAddress, unixAddress } from './rpc/address.ts'

/** What a flag takes: how it is written, in a usage line and in a refusal, and what it means. Pure. */
export interface ValueKind<Value> {
  /** `DURATION`: how the usage calls it. */
  readonly placeholder: string
  /** Completes the sentence "it takes …". */
  readonly allowed: string
  /** undefined: not allowed. */
  parse(text: string): Value | undefined
}

const THOUSANDS = /\B(?=(?:\d{3})+$)/g

/** A whole number in decimal. */
export function count(min: number, max: number): ValueKind<number> {
  const [from, to] = [min, max].map((bound) => String(bound).replace(THOUSANDS, ','))
  return {
    placeholder: 'N',
    allowed: `a whole number from ${from} to ${to}`,
    parse: (text) => (/^\d{1,15}$/.test(text) ? between(Number(text), min, max) : undefined),
  }
}

const DURATION_UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
])

/** Milliseconds, written `500ms`, `5s`, `10m` or `1h`. Bounds are written the same way. */
export function duration(min: string, max: string): ValueKind<number> {
  const [minMs = 0, maxMs = 0] = [min, max].map((bound) => scaled(bound, DURATION_UNITS))
  return {
    placeholder: 'DURATION',
    allowed: `a duration from ${min} to ${max}, written like 500ms, 5s, 10m or 1h`,
    parse: (text) => between(scaled(text, DURATION_UNITS), minMs, maxMs),
  }
}

const BYTE_UNITS: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['KiB', 2 ** 10],
  ['MiB', 2 ** 20],
  ['GiB', 2 ** 30],
  ['TiB', 2 ** 40],
])

/** Bytes, written `4096`, `64MiB` or `1GiB`. Bounds are written the same way. */
export function bytes(min: string, max: string): ValueKind<number> {
  const [minBytes = 0, maxBytes = 0] = [min, max].map((bound) => scaled(bound, BYTE_UNITS))
  return {
    placeholder: 'SIZE',
    allowed: `a size from ${min} to ${max}, written like 4096, 64MiB or 1GiB`,
    parse: (text) => between(scaled(text, BYTE_UNITS), minBytes, maxBytes),
  }
}

/** One of some words. `absent` says of a word that is none of them why it is not. */
export function oneOf<const Word extends string>(words: readonly Word[], absent = ''): ValueKind<Word> {
  return {
    placeholder: words.join('|'),
    allowed: words.join(' or ') + absent,
    parse: (text) => words.find((word) => word === text),
  }
}

/** A path, as the shell would give it. */
export const path: ValueKind<string> = {
  placeholder: 'DIR',
  allowed: 'a path',
  parse: (text) => (text === '' || text.includes('\0') ? undefined : text),
}

/** The path of a file; '' is none. */
export const optionalFile: ValueKind<string> = {
  placeholder: 'FILE',
  allowed: 'the path of a file',
  parse: (text) => (text.includes('\0') ? undefined : text),
}

/** Inclusive ranges of numbers, `0,5-9`: ascending and apart, whatever the order in which they were written. */
export function ranges(max: number): ValueKind<readonly Range[]> {
  return {
    placeholder: 'RANGES',
    allowed: `numbers and ranges up to ${String(max).replace(THOUSANDS, ',')}, written like 0,5-9`,
    parse: (text) => (text === '' ? [] : parseRanges(text, max)),
  }
}

export type Range = readonly [first: number, last: number]

function parseRanges(text: string, max: number): readonly Range[] | undefined {
  const found: Range[] = []
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(part.trim()) ?? []
    if (first === undefined || Number(first) > Number(last) || Number(last) > max) return undefined
    found.push([Number(first), Number(last)])
  }
  found.sort((a, b) => a[0] - b[0])
  const apart: [number, number][] = []
  for (const [first, last] of found) {
    const previous = apart.at(-1)
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last)
    else apart.push([first, last])
  }
  return apart
}

/** The longest path that a socket address holds (sun_path, less its end). */
const MAX_SOCKET_PATH = 107
const MAX_PORT = 65_535

/** `unix:///run/x.sock`, `127.0.0.1:7600`, `tcp://[::1]:7600`; `localhost` is 127.0.0.1. `fd://`, `fd://3`, `fd://NAME`. */
export const address: ValueKind<Address | HandedOver> = {
  placeholder: 'ADDRESS',
  allowed: `unix:///PATH (absolute, at most ${MAX_SOCKET_PATH} bytes), IP:PORT, [IPv6]:PORT, fd://, fd://NAME or fd://3`,
  parse: (text) => parseUnix(text) ?? parseTcp(text) ?? parseHandedOver(text),
}

/** A name as systemd takes it: at most 255 printable characters of ASCII, no colon. All digits, it is a number, 3 or more. */
function parseHandedOver(text: string): HandedOver | undefined {
  const [, which] = /^fd:\/\/([!-9;-~]{0,255})$/.exec(text) ?? []
  if (which === undefined) return undefined
  if (which === '') return handedOver('all')
  if (!/^\d+$/.test(which)) return handedOver(which)
  const fd = Number(which)
  return fd >= 3 && fd < 10_000 ? handedOver(fd) : undefined
}

function parseUnix(text: string): Address | undefined {
  const socketPath = /^unix:(?:\/\/)?(\/[^\0]+)$/.exec(text)?.[1]
  if (socketPath === undefined || Buffer.byteLength(socketPath) > MAX_SOCKET_PATH) return undefined
  return unixAddress(socketPath)
}

function parseTcp(text: string): Address | undefined {
  const [, bracketed, plain = bracketed, digits] =
    /^(?:tcp:\/\/)?(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = plain === 'localhost' ? '127.0.0.1' : plain
  const port = Number(digits)
  if (host === undefined || port > MAX_PORT || isIP(host) !== (bracketed === undefined ? 4 : 6)) return undefined
  return tcpAddress(host.toLowerCase(), port)
}

/** Where metrics are served: TCP, or nowhere. */
export const metricsAddress: ValueKind<TcpAddress | 'nowhere'> = {
  placeholder: 'ADDRESS',
  allowed: 'IP:PORT, [IPv6]:PORT, or nothing for nowhere',
  parse: (text) => {
    if (text === '') return 'nowhere'
    const parsed = parseTcp(text)
    return parsed?.kind === 'tcp' ? parsed : undefined
  },
}

/** Nothing but these: a misspelt `ture` is not false. */
export const yesOrNo: ValueKind<boolean> = {
  placeholder: '',
  allowed: 'true or false',
  parse: (text) => (text === 'true' ? true : text === 'false' ? false : undefined),
}

function scaled(text: string, units: ReadonlyMap<string, number>): number | undefined {
  if (text === '0') return 0
  const [, digits, unit = ''] = /^(\d{1,15})([a-zA-Z]*)$/.exec(text) ?? []
  const factor = units.get(unit)
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor
}

function between(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined
}
