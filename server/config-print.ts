import { parse } from 'yaml'
import { FILE_VERSION } from './config-file.ts'
import { FILE_FLAG, type Flag, type Flags, type Host, type Origin } from './config-flags.ts'
import { type Settings, split, variableOf } from './config-sources.ts'

/** A configuration as a file that --config takes. Pure. */

const VERSION_LINE = `version: ${FILE_VERSION}`

/** A line for each key; with origins each ends in a comment that says where its value is from. */
export function printConfig(table: Flags, settings: Settings, hasOrigins: boolean): string {
  const lines = [...settings].flatMap(([name, { texts, origin }]) => {
    const flag = table[name]
    if (flag === undefined || name === FILE_FLAG) return []
    return [{ text: `${name}: ${valueText(flag, texts)}`, comment: originText(origin) }]
  })
  const all = [{ text: VERSION_LINE, comment: 'the form of the file' }, ...lines]
  const width = hasOrigins ? Math.max(...all.map(({ text }) => text.length)) : 0
  return all.map(({ text, comment }) => `${hasOrigins ? `${text.padEnd(width)}  # ${comment}` : text}\n`).join('')
}

function originText(origin: Origin): string {
  switch (origin.kind) {
    case 'flag':
      return 'flag'
    case 'variable':
      return origin.variable
    case 'file':
      return inComment(`${origin.path}:${origin.line}`)
    case 'default':
      return 'default'
  }
}

/** A path may have a line break, and the comment would end with it. */
function inComment(text: string): string {
  return /\p{Cc}|[\u2028\u2029]/u.test(text) ? quotedText(text) : text
}

/** Where a default that depends on the host is shown for everybody: as root has it, as a service. */
const SERVICE: Host = { env: {}, isRoot: true, isTerminal: false }

/** All defaults, explained. What depends on where the daemon runs is a comment: a value would fix it. */
export function printDefaults(table: Flags, program: { readonly name: string; readonly version: string }): string {
  const parts = [header(program.name, program.version)]
  let group = ''
  for (const [name, flag] of Object.entries(table)) {
    if (name === FILE_FLAG) continue
    if (flag.group !== group) parts.push(`\n## ${flag.group}\n`)
    group = flag.group
    parts.push(defaultText(name, flag))
  }
  return parts.join('')
}

const header = (name: string, version: string) => `# The defaults of ${name} ${version}.
# A flag is stronger than its variable (--data-dir is ${variableOf('data-dir')}), which is stronger than the key of this file.
# Paths that are not absolute begin at the directory in which the daemon is started.
${VERSION_LINE}
`

function defaultText(name: string, flag: Flag<unknown>): string {
  const { fallback, help, kind, isList } = flag
  const takes = `# ${help}\n# It takes ${isList ? 'a list, or one, of ' : ''}${kind.allowed}.`
  if (typeof fallback === 'string') return `\n${takes}\n${name}: ${valueText(flag, split(flag, fallback))}\n`
  const shown = valueText(flag, split(flag, fallback.of(SERVICE) ?? ''))
  return `\n${takes} By default ${fallback.text}.\n# ${name}: ${shown}\n`
}

function valueText(flag: Flag<unknown>, texts: readonly string[]): string {
  if (flag.isList) return `[${texts.map(scalarText).join(', ')}]`
  const text = texts.at(-1) ?? ''
  const value = flag.read(texts)
  // As YAML writes numbers and truth, where the text is that already.
  const isLiteral = (typeof value === 'number' || typeof value === 'boolean') && String(value) === text
  return isLiteral ? text : scalarText(text)
}

const PLAIN = /^[\w./][\w./+@:-]*$/

/** In quotes unless every reader of YAML takes it for the same text, in a list too. */
function scalarText(text: string): string {
  return PLAIN.test(text) && isPlain(text, '1.2') && isPlain(text, '1.1') ? text : quotedText(text)
}

function isPlain(text: string, version: '1.1' | '1.2'): boolean {
  try {
    const value: unknown = parse(`[${text}]`, { version, logLevel: 'silent' })
    return Array.isArray(value) && value.length === 1 && value[0] === text
  } catch {
    return false
  }
}

/** JSON, and what YAML has to have escaped beyond it. */
function quotedText(text: string): string {
  const escaped = (char: string) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g, escaped)
}
