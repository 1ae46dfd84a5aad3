// Makes one program of ioasidctl and all that it imports, in dist/ioasidctl: a file is read much faster than hundreds. What
// only some commands need is a file of its own.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const rootDir = fileURLToPath(new URL('../..', import.meta.url))
const outDir = join(rootDir, 'dist/ioasidctl')

const bundle = await rolldown({
  input: join(rootDir, 'client/cli/main.ts'),
  platform: 'node',
  logLevel: 'warn',
  // grpc-js loads it for channelz and ORCA, which no client of ours switches on.
  external: ['@grpc/proto-loader'],
})
const { output } = await bundle.generate({ format: 'esm', chunkFileNames: '[name].js' })
await bundle.close()

function isThere(file, code) {
  try {
    return readFileSync(file, 'utf8') === code
  } catch {
    return false
  }
}

mkdirSync(outDir, { recursive: true })
for (const { fileName, code } of output) {
  const file = join(outDir, fileName)
  if (isThere(file, code)) continue
  // Whoever starts it meanwhile reads the old one or the new one, never half of it.
  const scratch = `${file}.${process.pid}`
  try {
    writeFileSync(scratch, code)
    renameSync(scratch, file)
  } finally {
    rmSync(scratch, { force: true })
  }
}
