import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../..', import.meta.url))
const cache = join(root, 'node_modules/.cache')

export interface PlainJs {
  /** Where a source file is as JavaScript. */
  pathOf(source: URL): string
  remove(): void
}

/**
 * The store and the programs beside this file as JavaScript that a child process can run: what Node runs without vitest on
 * every version that we support. Made from the sources of this moment, unlike dist.
 */
export function buildPlainJs(): PlainJs {
  mkdirSync(cache, { recursive: true })
  // In the repository, so that packages are found.
  const folder = mkdtempSync(join(cache, 'store-test-'))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  for (const source of ['server/core', 'server/store', 'test/store/programs']) {
    mkdirSync(join(folder, source), { recursive: true })
    for (const name of readdirSync(join(root, source))) {
      if (name.endsWith('.ts')) writeFileSync(join(folder, source, toJs(name)), transpile(join(root, source, name)))
    }
  }
  return {
    pathOf: (source) => join(folder, toJs(relative(root, fileURLToPath(source)))),
    remove: () => rmSync(folder, { recursive: true }),
  }
}

function transpile(path: string): string {
  const { outputText } = ts.transpileModule(readFileSync(path, 'utf8'), {
    fileName: path,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
  })
  return outputText
}

function toJs(name: string): string {
  return name.replace(/\.ts$/, '.js')
}
