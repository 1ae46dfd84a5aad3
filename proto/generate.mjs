// Derives from the .proto files what is not in git, in proto/gen: the TypeScript types, the definitions that proto/load.ts
// loads, and the descriptor set for server reflection. With `--copy` it also puts the files themselves, for makers of stubs,
// and the descriptor set into dist/proto.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const protoDir = dirname(fileURLToPath(import.meta.url))
const rootDir = dirname(protoDir)
const genDir = join(protoDir, 'gen')
const descriptorSet = 'descriptor-set.binpb'

const protos = readdirSync(protoDir, { recursive: true })
  .filter((path) => path.endsWith('.proto'))
  .sort()

// The options that decide types; CONVERSION in names.ts must say the same (test/proto/load.test.ts compares them).
const typeOptions = ['--keepCase', '--longs=String', '--enums=String', '--defaults', '--oneofs']

/** A digest of all that the output depends on: while it stays, there is nothing to do. */
function inputDigest() {
  const hash = createHash('sha256')
  for (const path of ['generate.mjs', '../package-lock.json', ...protos]) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(protoDir, path)))
      .update('\0')
  }
  return hash.digest('hex')
}

function run(tool, args) {
  execFileSync(join(rootDir, 'node_modules/.bin', tool), args, { cwd: rootDir, stdio: ['ignore', 'ignore', 'inherit'] })
}

/** Each proto file has a ProtoGrpcType of its own; what they declare adds up to one type, in root.ts. */
function writeRootTypes(dir) {
  const names = protos.map((path) => basename(path, '.proto'))
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  if (twice)
    throw new Error(`two files are named ${twice}.proto: proto-loader-gen-types would write one over the other`)
  for (const name of names) {
    // The generator leaves unused declarations in files without a service, which noUnusedLocals refuses.
    const file = join(dir, `${name}.ts`)
    writeFileSync(file, `// @ts-nocheck\n${readFileSync(file, 'utf8')}`)
  }
  const imports = names.map((name) => `import type { ProtoGrpcType as ${name} } from './${name}.ts'\n`)
  writeFileSync(join(dir, 'root.ts'), `${imports.join('')}\nexport type Root = ${names.join(' & ')}\n`)
}

/** What the files parse to: a program that starts would spend more time on their comments than on all of its own work. */
function writeDefinitions(dir) {
  // As proto-loader parses them, and with the library that it reads the outcome by.
  const protoLoader = createRequire(import.meta.url).resolve('@grpc/proto-loader')
  const { Root } = createRequire(protoLoader)('protobufjs')
  const root = new Root()
  root.resolvePath = (_from, path) => (protos.includes(path) ? join(protoDir, path) : path)
  root.loadSync(protos, { keepCase: true })
  writeFileSync(join(dir, 'definitions.ts'), `export const DEFINITIONS = ${JSON.stringify(JSON.stringify(root))}\n`)
}

function generate() {
  const digest = inputDigest()
  const stamp = join(genDir, '.inputs')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  // Whoever reads proto/gen meanwhile sees the old output or the new one, never half of it.
  const scratch = mkdtempSync(join(protoDir, '.gen-'))
  try {
    const shape = ['--grpcLib=@grpc/grpc-js', '--importFileExtension=.ts', '--includeComments']
    const paths = [`--includeDirs=${protoDir}`, `--outDir=${scratch}`]
    run('proto-loader-gen-types', [...typeOptions, ...shape, ...paths, ...protos])
    run('buf', ['build', protoDir, '--as-file-descriptor-set', '--output', join(scratch, descriptorSet)])
    writeRootTypes(scratch)
    writeDefinitions(scratch)
    writeFileSync(join(scratch, '.inputs'), digest)
    rmSync(genDir, { recursive: true, force: true })
    renameSync(scratch, genDir)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function copy() {
  const target = join(rootDir, 'dist/proto')
  for (const path of [...protos, join('gen', descriptorSet)]) {
    mkdirSync(dirname(join(target, path)), { recursive: true })
    cpSync(join(protoDir, path), join(target, path))
  }
}

generate()
if (process.argv.includes('--copy')) copy()
