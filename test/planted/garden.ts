import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import ts from 'typescript'
import { repositoryRoot } from '../support/repository.ts'
import type { PlantedBug } from './bugs.ts'
import type { Found } from './find.ts'

const run = promisify(execFile)

/** A copy of what was built, in which one bug at a time is planted and looked for. */
export interface Garden {
  find(bug: PlantedBug, seeds: number): Promise<Found | null>
  close(): void
}

export function createGarden(): Garden {
  const directory = mkdtempSync(join(tmpdir(), 'ioasidd-planted-'))
  for (const part of ['server', 'proto', 'test', 'package.json']) {
    const from = part === 'package.json' ? join(repositoryRoot, part) : join(repositoryRoot, 'dist', part)
    cpSync(from, join(directory, part), { recursive: true })
  }
  symlinkSync(join(repositoryRoot, 'node_modules'), join(directory, 'node_modules'))

  return {
    find: async (bug, seeds) => {
      const path = join(directory, 'server', bug.file.replace(/ts$/, 'js'))
      const sound = readFileSync(path)
      writeFileSync(path, compile(plant(bug)))
      try {
        const program = join(directory, 'test/planted/find.js')
        const { stdout } = await run(process.execPath, [program, String(seeds)], { maxBuffer: 1 << 26 })
        return JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null')
      } finally {
        writeFileSync(path, sound)
      }
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** The source with the bug in it. Throws where the bug no longer has its place: then the table is out of date. */
function plant({ name, file, find, replace }: PlantedBug): string {
  const source = readFileSync(join(repositoryRoot, 'server', file), 'utf8')
  const places = source.split(find).length - 1
  if (places !== 1) throw new Error(`${name}: '${find}' stands ${places} times in server/${file}`)
  return source.replace(find, () => replace)
}

function compile(source: string): string {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2023,
    rewriteRelativeImportExtensions: true,
  }
  return ts.transpileModule(source, { compilerOptions }).outputText
}
