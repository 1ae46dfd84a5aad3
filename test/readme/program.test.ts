import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import ts from 'typescript'
import { expect, onTestFinished, test } from 'vitest'
import { connect } from '../../client/index.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { startDaemon } from '../support/daemon.ts'
import { blocks } from '../support/readme.ts'
import { repositoryRoot } from '../support/repository.ts'

test('the program of the README keeps the table of its VM, with the package by its name', async () => {
  const daemon = await startDaemon()
  const [block = ''] = blocks('ts')
  const program = block
    .replace('unix:///run/ioasidd/ioasidd.sock', daemon.address)
    .replace(/void vcpus\.(set|delete)\(.*\)/g, '{ $&; console.log(JSON.stringify([...vcpus])) }')
  const { outputText } = ts.transpileModule(program, {
    compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 },
  })
  const child = spawn(process.execPath, ['--input-type=module', '--eval', outputText], { cwd: repositoryRoot })
  onTestFinished(() => void child.kill('SIGKILL'))
  const said: string[] = []
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', (line) => said.push(line))

  const client = connect({ endpoint: daemon.address })
  const { set } = await client.createSet({ token: 'vm-a' })
  await client.allocate({ setHandle: set.setHandle, spids: [101, 102] })
  await expect.poll(() => said.at(-1), { timeout: 20_000 }).toBe('[[101,1],[102,2]]')
  await client.detachSpid({ setHandle: set.setHandle, ioasid: 1 })
  await expect.poll(() => said.at(-1), { timeout: 20_000 }).toBe('[[102,2]]')
  await client.close()
  await daemon.stop()
})

test('the package has what it says: the SDK with its types, and programs that a shell can start', () => {
  const { types, default: sdk } = packageJson.exports['.']
  for (const path of [types, sdk]) expect(existsSync(join(repositoryRoot, path)), path).toBe(true)
  for (const path of Object.values(packageJson.bin)) {
    expect(readFileSync(join(repositoryRoot, path), 'utf8'), path).toMatch(/^#!\/usr\/bin\/env (-S )?node\b/)
  }
})
