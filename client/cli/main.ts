#!/usr/bin/env node
import { connect } from '../index.ts'
import { main } from './program.ts'

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: a second one ends the process by its default.
  process.once(signal, () => interrupted.abort())
}
// Whoever reads has seen enough, as `head` has.
process.stdout.on('error', () => process.exit())

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  connect,
  interrupted: interrupted.signal,
})
