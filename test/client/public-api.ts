import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { repositoryRoot } from '../support/repository.ts'

/** The public names of the SDK, read from its sources: what each is declared as, and what its comment says. */

export interface Declared {
  readonly name: string
  /** Where, in client/. */
  readonly file: string
  /** The declaration without comments and bodies. */
  readonly text: string
  /** The comment before it, '' where there is none. */
  readonly comment: string
}

type Declaration = ts.Statement & { readonly name?: ts.Identifier }

interface File {
  readonly source: ts.SourceFile
  /** From each name that is imported or exported from elsewhere to the file that has it. */
  readonly origins: ReadonlyMap<string, string>
  readonly declarations: ReadonlyMap<string, Declaration>
}

const options: ts.CompilerOptions = { target: ts.ScriptTarget.ES2023, isolatedDeclarations: true, declaration: true }
const printer = ts.createPrinter({ removeComments: true })

function readFile(file: string): File {
  const fileName = join(repositoryRoot, 'client', file)
  const { outputText } = ts.transpileDeclaration(readFileSync(fileName, 'utf8'), { fileName, compilerOptions: options })
  const source = ts.createSourceFile(file, outputText, ts.ScriptTarget.ES2023, true)
  const origins = new Map<string, string>()
  const declarations = new Map<string, Declaration>()
  for (const statement of source.statements) {
    for (const [name, origin] of namesFromElsewhere(statement)) origins.set(name, origin)
    for (const name of namesOf(statement)) declarations.set(name, statement)
  }
  return { source, origins, declarations }
}

function namesFromElsewhere(statement: ts.Statement): [string, string][] {
  const clause = ts.isImportDeclaration(statement)
    ? statement.importClause?.namedBindings
    : ts.isExportDeclaration(statement)
      ? statement.exportClause
      : undefined
  const from =
    ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement) ? statement.moduleSpecifier : undefined
  if (clause === undefined || from === undefined || !ts.isStringLiteral(from) || !from.text.startsWith('./')) return []
  if (!ts.isNamedImports(clause) && !ts.isNamedExports(clause)) return []
  return clause.elements.map(({ name }) => [name.text, from.text.slice('./'.length)])
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) => (ts.isIdentifier(name) ? name.text : []))
  }
  const isNamed =
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isFunctionDeclaration(statement)
  return isNamed && statement.name !== undefined ? [statement.name.text] : []
}

function identifiersIn(node: ts.Node): string[] {
  const found: string[] = []
  const visit = (each: ts.Node): void => {
    if (ts.isIdentifier(each)) found.push(each.text)
    ts.forEachChild(each, visit)
  }
  visit(node)
  return found
}

function commentOf({ source }: File, statement: ts.Statement): string {
  const ranges = ts.getLeadingCommentRanges(source.text, statement.getFullStart()) ?? []
  const last = ranges.at(-1)
  return last === undefined ? '' : source.text.slice(last.pos, last.end)
}

/** What client/index.ts exports, and what is not exported but has a part in it, each by name. */
export function publicApi(): { readonly exported: Declared[]; readonly reached: Declared[] } {
  const files = new Map<string, File>()
  const fileOf = (name: string): File => {
    const file = files.get(name) ?? readFile(name)
    files.set(name, file)
    return file
  }
  const names = fileOf('index.ts').origins
  const found = new Map<string, Declared>()
  const queue = [...names]
  for (const [name, fileName] of queue) {
    const file = fileOf(fileName)
    const statement = file.declarations.get(name)
    const key = `${fileName} ${name}`
    if (statement === undefined || found.has(key)) continue
    const text = printer.printNode(ts.EmitHint.Unspecified, statement, file.source)
    found.set(key, { name, file: fileName, text, comment: commentOf(file, statement) })
    for (const identifier of identifiersIn(statement)) {
      if (file.declarations.has(identifier)) queue.push([identifier, fileName])
      const origin = file.origins.get(identifier)
      if (origin !== undefined) queue.push([identifier, origin])
    }
  }
  const all = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  const isExported = ({ name, file }: Declared) => names.get(name) === file
  return { exported: all.filter(isExported), reached: all.filter((declared) => !isExported(declared)) }
}
