#!/usr/bin/env node
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { EXIT } from './failure.ts'
import { createFile } from './files.ts'
import { main } from './program.ts'
import { terminalOf } from './terminal.ts'

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: a second one ends the process by its default.
  process.once(signal, () => interrupted.abort())
}
let isOutputLost = false
let hasReaderLeft = false
/** The command ends as if it were interrupted: what it has opened, as a lease that holds, is still to be closed. */
function noteLoss(error: NodeJS.ErrnoException): void {
  // Whoever reads has seen enough, as `head` has.
  if (error.code === 'EPIPE') hasReaderLeft = true
  else if (!isOutputLost) {
    isOutputLost = true
    // Also where the command has ended already, and its text was still on its way.
    process.exitCode = EXIT.refused
    // What is lost may be a handle that is never told again.
    process.stderr.write(`error: the output is lost: ${error.message}\n`)
  }
  interrupted.abort()
}
process.stdout.on('error', noteLoss)
// Where nobody can be told of an error, its exit code is all there is.
process.stderr.on('error', () => {})

const code = await main(process.argv.slice(2), {
  out: (text) => process.stdout.write(text),
  written: () =>
    new Promise((resolve, reject) => {
      process.stdout.write('', (error) => {
        if (!error) return resolve()
        noteLoss(error)
        reject(error)
      })
    }),
  err: (text) => process.stderr.write(text),
  env: process.env,
  // grpc-js and the protocol are loaded when a daemon is asked: help and wrong words do not wait for them.
  connect: async (options) => {
    // grpc-js gives Node an IP address as the server's name, of which Node would warn (DEP0123): nothing to an operator.
    if (options.tls !== undefined) process.noDeprecation = true
    return (await import('../index.ts')).connect(options)
  },
  readFile: (path) => readFile(path),
  readPieces: (path) => createReadStream(path),
  createFile,
  interrupted: interrupted.signal,
  nowMs: Date.now,
  monotonicMs: () => performance.now(),
  terminal: process.stdout.isTTY ? terminalOf(process.stdout) : undefined,
  progress: process.stderr.isTTY ? (text) => process.stderr.write(text) : undefined,
})
if (isOutputLost) process.exitCode = EXIT.refused
else process.exitCode = hasReaderLeft && code === EXIT.interrupted ? EXIT.ok : code
