/**
 * The tests on another Node: `npm run test:on -- 24 [arguments of vitest]`. The binary comes as an npm package, from whose
 * version nothing is left to chance but the newest of that number.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const [major = '', ...args] = process.argv.slice(2)
if (!/^\d+$/.test(major)) {
  console.error('usage: npm run test:on -- 22 [arguments of vitest]')
  process.exit(2)
}
const platform = `${process.platform}-${process.arch}`
const directory = join(import.meta.dirname, '../node_modules/.cache', `node-${major}`)
const node = join(directory, 'node_modules', `node-${platform}`, 'bin/node')
if (!existsSync(node)) {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'package.json'), '{ "private": true }')
  const options = ['--prefix', directory, '--ignore-scripts', '--no-progress', `node-${platform}@${major}`]
  run('npm', ['install', ...options])
}
run(node, ['--version'])
// What tests start as `node` is the same one.
const env = { ...process.env, PATH: `${join(node, '..')}:${process.env['PATH']}` }
run(node, ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/vitest.config.ts', ...args], env)

function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { stdio: 'inherit', env })
  if (error !== undefined) throw error
  if (status !== 0) process.exit(status ?? 1)
}
