import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, Scalar, visit } from 'yaml'
import { FILE_FLAG, type Flag, type Flags, type Given, problemOf, quoted } from './config-flags.ts'
import { nearest } from './nearest.ts'

/**
 * The file of --config: YAML, with the names of the flags as keys and what the flags take as values. All of it is checked,
 * also what a flag or a variable overrides: a file is right or wrong by itself.
 */

export interface ConfigFile {
  readonly settings: ReadonlyMap<string, Given>
  /** What is wrong, a sentence each, in the order of the lines. */
  readonly problems: readonly string[]
}

/** Of the file's form, not of the program. */
export const FILE_VERSION = '1'
const VERSION_KEY = 'version'

/** Many times what all flags with long lists take. */
const MAX_FILE_BYTES = 256 * 1024

/** The text of a file, or why there is none: completes the sentence "it …". */
export function readText(path: string): { readonly text: string } | { readonly problem: string } {
  let fd: number
  try {
    // Without waiting: a named pipe that nobody writes to would stop a daemon that reads its file again.
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (cause) {
    return { problem: `cannot be read (${codeOf(cause)})` }
  }
  try {
    if (!fstatSync(fd).isFile()) return { problem: 'is not a regular file' }
    const bytes = readUpTo(fd, MAX_FILE_BYTES + 1)
    if (bytes.length > MAX_FILE_BYTES) return { problem: `is larger than ${MAX_FILE_BYTES / 1024} KiB` }
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  } catch (cause) {
    return { problem: cause instanceof TypeError ? 'is not UTF-8' : `cannot be read (${codeOf(cause)})` }
  } finally {
    closeSync(fd)
  }
}

function readUpTo(fd: number, max: number): Buffer {
  const buffer = Buffer.alloc(max)
  let length = 0
  while (length < max) {
    const more = readSync(fd, buffer, length, max - length, length)
    if (more === 0) break
    length += more
  }
  return buffer.subarray(0, length)
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
}

/** Pure. `path` is for the sentences. */
export function parseConfigFile(path: string, text: string, table: Flags): ConfigFile {
  const lines = new LineCounter()
  const at = (offset: number) => `${path}:${lines.linePos(offset).line}`
  const read = readDocument(text, lines)
  if ('sentence' in read) return wrong(`${at(read.offset)}: ${read.sentence}`)
  const { contents } = read
  if (contents !== null && !isMap(contents) && !isNothing(contents)) {
    return wrong(
      `${at(startOf(contents))}: the file takes keys and values, and begins with 'version: ${FILE_VERSION}'.`,
    )
  }
  const pairs: readonly Pair[] = isMap(contents) ? contents.items : []
  const lineOf = (key: unknown) => lines.linePos(startOf(key)).line
  return readPairs(path, pairs, lineOf, table)
}

interface Fault {
  readonly offset: number
  readonly sentence: string
}

function readDocument(text: string, lineCounter: LineCounter): { readonly contents: Node | null } | Fault {
  try {
    // In this schema each value is the text that was written: 0x10 and 1e3 are what they are for a flag, and no numbers.
    const options = {
      schema: 'failsafe',
      prettyErrors: false,
      uniqueKeys: false,
      logLevel: 'error',
      lineCounter,
    } as const
    const { errors, contents } = parseDocument(text, options)
    const [error] = errors
    if (error === undefined) return findAbuse(contents) ?? { contents }
    if (error.code === 'MULTIPLE_DOCS')
      return { offset: error.pos[0], sentence: 'the file is one document, without ---.' }
    return { offset: error.pos[0], sentence: `this is not YAML: ${plain(error.message)}.` }
  } catch (cause) {
    // Nested so deeply that the stack is too small. A daemon that reads its file again must not end by it.
    if (cause instanceof RangeError) return { offset: 0, sentence: 'this is nested too deeply.' }
    throw cause
  }
}

function wrong(problem: string): ConfigFile {
  return { settings: new Map(), problems: [problem] }
}

function readPairs(path: string, pairs: readonly Pair[], lineOf: (key: unknown) => number, table: Flags): ConfigFile {
  const problems: string[] = []
  const settings = new Map<string, Given>()
  const seen = new Map<string, number>()
  for (const { key, value } of pairs) {
    const line = lineOf(key)
    const say = (sentence: string) => problems.push(`${path}:${line}: ${sentence}`)
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : undefined
    const earlier = name === undefined ? undefined : seen.get(name)
    if (name !== undefined) seen.set(name, earlier ?? line)
    if (name === undefined) say('a key is the name of a flag.')
    else if (earlier !== undefined)
      say(`${quoted(name)} is there twice, first in line ${earlier}: a key is given once.`)
    else if (name === VERSION_KEY) {
      // What its keys would mean to another release is not known here.
      if (!isVersion(value)) return wrong(`${path}:${line}: ${versionSentence(value)}`)
    } else {
      const flag = name === FILE_FLAG ? undefined : ownFlag(table, name)
      const given = flag === undefined ? unknownKey(name, table) : textsOf(name, flag, value)
      if (flag === undefined || typeof given === 'string') say(String(given))
      else {
        const setting: Given = { texts: given, origin: { kind: 'file', path, line } }
        const problem = problemOf(name, flag, setting)
        if (problem === undefined) settings.set(name, setting)
        else problems.push(problem)
      }
    }
  }
  if (!seen.has(VERSION_KEY))
    problems.unshift(`${path}:1: version is missing: the file takes 'version: ${FILE_VERSION}'.`)
  return { settings, problems }
}

function isVersion(value: unknown): boolean {
  return isScalar(value) && value.value === FILE_VERSION
}

function versionSentence(value: unknown): string {
  const what = isScalar(value) ? quoted(String(value.value)) : 'that'
  return `version does not take ${what}: this release reads version ${FILE_VERSION}.`
}

function ownFlag(table: Flags, name: string): Flag<unknown> | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

function unknownKey(name: string, table: Flags): string {
  if (name === FILE_FLAG) return `${FILE_FLAG} is no key of the file that it names.`
  const meant = nearest(
    name,
    [VERSION_KEY, ...Object.keys(table)].filter((word) => word !== FILE_FLAG),
  )
  const advice = meant === undefined ? 'keys are the flags of ioasidd --help, without --.' : `did you mean ${meant}?`
  return `there is no flag ${quoted(name)}: ${advice}`
}

/** What was written for a flag, or what is wrong with it. */
function textsOf(name: string, flag: Flag<unknown>, value: unknown): readonly string[] | string {
  const takes = `it takes ${flag.isList ? 'a list, or one, of ' : ''}${flag.kind.allowed}.`
  if (isNothing(value)) return `${name} has no value: ${takes}${flag.isList ? ' An empty list is [].' : ''}`
  if (isScalar(value)) return [String(value.value)]
  if (!isSeq(value)) return `${name} does not take keys and values: ${takes}`
  if (!flag.isList) return `${name} does not take a list: ${takes}`
  const texts: string[] = []
  for (const item of value.items) {
    if (isNothing(item) || !isScalar(item))
      return `${name} does not take a list with something else than texts: ${takes}`
    texts.push(String(item.value))
  }
  return texts
}

/** `key:`, `key: ~` and `key: null`, which in this schema would be texts. */
function isNothing(value: unknown): boolean {
  if (value === null || value === undefined) return true
  return isScalar(value) && value.type === Scalar.PLAIN && /^(?:~|null|Null|NULL|)$/.test(String(value.value))
}

/** What YAML has beyond texts, lists and keys, and a configuration has no use for. */
function findAbuse(contents: Node | null): Fault | undefined {
  let found: Fault | undefined
  const stop = (node: Node, what: string) => {
    found = { offset: startOf(node), sentence: `${what} is not allowed: write the value itself.` }
    return visit.BREAK
  }
  visit(contents, {
    Alias: (_, alias) => stop(alias, `the alias *${alias.source}`),
    Value: (_, node) => {
      if (node.anchor !== undefined) return stop(node, `the anchor &${node.anchor}`)
      return node.tag === undefined ? undefined : stop(node, `the tag ${node.tag}`)
    },
  })
  return found
}

function startOf(node: unknown): number {
  const range = typeof node === 'object' && node !== null && 'range' in node ? node.range : undefined
  return Array.isArray(range) && typeof range[0] === 'number' ? range[0] : 0
}

/** As the end of a sentence of ours. */
function plain(message: string): string {
  return message
    .split('\n', 1)
    .join('')
    .replace(/[.:\s]+$/, '')
}
