#!/usr/bin/env node
import { connect } from '../index.ts'
import { main } from './program.ts'
import { EXIT } from './run.ts'

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: a second one ends the process by its default.
  process.once(signal, () => interrupted.abort())
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Whoever reads has seen enough, as `head` has.
  if (error.code === 'EPIPE') process.exit()
  // What is lost may be a handle that is never told again.
  process.stderr.write(`error: the output is lost: ${error.message}\n`)
  process.exit(EXIT.refused)
})
// Where nobody can be told of an error, its exit code is all there is.
process.stderr.on('error', () => {})

process.exitCode = await main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  env: process.env,
  connect,
  interrupted: interrupted.signal,
  nowMs: Date.now,
})
