import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { repositoryRoot } from './repository.ts'

const readme: string = readFileSync(join(repositoryRoot, 'README.md'), 'utf8')

/** The fenced blocks of a language ('' for plain output), as they stand. */
export function blocks(language: string): readonly string[] {
  return fenced(readme, language)
}

/** The same of any page. */
export function fenced(page: string, language: string): readonly string[] {
  return [...page.matchAll(/^```(\w*)\n(.*?)^```$/gms)].flatMap(([, name, text]) =>
    name === language ? [text ?? ''] : [],
  )
}

/** The one shell block that contains a text. */
export function shellBlock(text: string): string {
  const [block, ...others] = blocks('sh').filter((candidate) => candidate.includes(text))
  if (block === undefined || others.length > 0) throw new Error(`README has not exactly one command with ${text}`)
  return block
}

/** The rows of the table that follows a heading, cells without padding. */
export function tableAfter(heading: string): readonly (readonly string[])[] {
  const section = readme.slice(readme.indexOf(`\n${heading}\n`))
  const rows = section.slice(section.indexOf('\n|---')).split('\n').slice(2)
  const end = rows.findIndex((row) => !row.startsWith('|'))
  return rows.slice(0, end).map((row) =>
    row
      .slice(1, -1)
      .split('|')
      .map((cell) => cell.trim()),
  )
}
