// Writes README.md of this folder from the comments of the .proto files: `node proto/readme.mjs`; with `--check` it only
// compares, and ends with 1 where they differ.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const rootDir = join(import.meta.dirname, '..')
const target = join(import.meta.dirname, 'README.md')
const PACKAGE = 'ioasid.v1'

/** Paths of descriptor.proto: which field of a file or a message the parts are. */
const OF_FILE = { messages: 4, enums: 5, services: 6, syntax: 12 }
const OF_MESSAGE = { fields: 2, nested: 3, enums: 4 }
const VALUES = 2
const METHODS = 2

const INTRODUCTION = `# The protocol

Made from the comments of the .proto files by \`node proto/readme.mjs\`; change those. Stubs are generated from
[ioasid/v1](ioasid/v1) with the ordinary tools; the project's [README](../README.md) has commands for it. What all RPCs have in
common (errors, revisions, request_id, paging) stands first, under [resources.proto](#resourcesproto).
`

const image = JSON.parse(
  execFileSync(join(rootDir, 'node_modules/.bin/buf'), ['build', 'proto', '-o', '-#format=json'], {
    cwd: rootDir,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  }),
)
const files = image.file.filter((file) => file.package === PACKAGE)
const first = files.filter(({ name }) => name.endsWith('/resources.proto'))
const others = files.filter((file) => !first.includes(file))
const text = `${[INTRODUCTION, ...[...first, ...others].map(fileText)].join('\n')}`

if (!process.argv.includes('--check')) writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  console.error('proto/README.md is not what the comments say: node proto/readme.mjs makes it anew')
  process.exit(1)
}

function fileText(file) {
  const comments = new Map(
    file.sourceCodeInfo.location.map(({ path = [], leadingComments = '', leadingDetachedComments = [] }) => [
      path.join(),
      [...leadingDetachedComments, leadingComments].map(plain).join('\n\n').trim(),
    ]),
  )
  const comment = (...path) => comments.get(path.join()) ?? ''
  const parts = [`## ${file.name.split('/').at(-1)}`, prose(comment(OF_FILE.syntax))]
  for (const [index, service] of (file.service ?? []).entries()) {
    const path = [OF_FILE.services, index]
    parts.push(`### ${service.name}`, prose(comment(...path)))
    for (const [place, method] of service.method.entries()) {
      const answer = `${method.serverStreaming ? 'stream ' : ''}${typeName(method.outputType)}`
      parts.push(`#### ${service.name}.${method.name}`, `\`${typeName(method.inputType)}\` → \`${answer}\``)
      parts.push(prose(comment(...path, METHODS, place)))
    }
  }
  for (const [index, message] of (file.messageType ?? []).entries()) {
    parts.push(...messageText(message, message.name, [OF_FILE.messages, index], comment))
  }
  for (const [index, type] of (file.enumType ?? []).entries()) {
    parts.push(...enumText(type, type.name, [OF_FILE.enums, index], comment))
  }
  return `${parts.filter((part) => part !== '').join('\n\n')}\n`
}

function messageText(message, name, path, comment) {
  const fields = (message.field ?? []).map((field, index) => {
    const what = cell(comment(...path, OF_MESSAGE.fields, index))
    return `| ${field.number} | \`${field.name}\` | ${fieldType(message, field)} | ${what} |`
  })
  const table = fields.length === 0 ? '' : ['| | field | type | what |', '|---|---|---|---|', ...fields].join('\n')
  return [
    `### ${name}`,
    prose(comment(...path)),
    table,
    ...(message.enumType ?? []).flatMap((type, index) =>
      enumText(type, `${name}.${type.name}`, [...path, OF_MESSAGE.enums, index], comment),
    ),
    ...(message.nestedType ?? []).flatMap((nested, index) =>
      nested.options?.mapEntry
        ? []
        : messageText(nested, `${name}.${nested.name}`, [...path, OF_MESSAGE.nested, index], comment),
    ),
  ]
}

function enumText(type, name, path, comment) {
  const rows = type.value.map(({ name: value, number = 0 }, index) => {
    return `| ${number} | \`${value}\` | ${cell(comment(...path, VALUES, index))} |`
  })
  return [`### ${name}`, prose(comment(...path)), ['| | value | what |', '|---|---|---|', ...rows].join('\n')]
}

function fieldType(message, { type, typeName: named, label, proto3Optional, oneofIndex }) {
  const own = named === undefined ? type.replace('TYPE_', '').toLowerCase() : typeName(named)
  if (label === 'LABEL_REPEATED') return `repeated ${own}`
  if (proto3Optional) return `optional ${own}`
  return oneofIndex === undefined ? own : `${own} (of \`${message.oneofDecl[oneofIndex].name}\`)`
}

function typeName(name) {
  return name.replace(/^\./, '').replace(`${PACKAGE}.`, '')
}

/** Without the space that each line of a comment begins with. */
function plain(lines) {
  return lines.replace(/^ /gm, '').trimEnd()
}

/** As text; what stands in columns stays in columns. */
function prose(lines) {
  const blocks = lines.split(/\n{2,}/).map((block) => {
    if (/^ {2}/m.test(block) && block.split('\n').every((line) => /^ {2}/.test(line))) return `\`\`\`\n${block}\n\`\`\``
    // A line that says what kind of thing follows is one of its own.
    return block.replace(/\n(?=(Events|Reasons|Retry|Kernel): )/g, '\n\n').replaceAll('<', '&lt;')
  })
  return blocks.join('\n\n')
}

function cell(lines) {
  return lines.replaceAll('\n', ' ').replaceAll('|', '\\|').replaceAll('<', '&lt;')
}
