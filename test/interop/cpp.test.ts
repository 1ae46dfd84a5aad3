import { join } from 'node:path'
import { beforeAll, test } from 'vitest'
import { tempDir } from '../support/daemon.ts'
import { bindAndFollow, COMPILE_MS, compile } from './compiled.ts'

const out = join(tempDir(), 'cpp')
beforeAll(() => compile('cpp', out), COMPILE_MS)

test('C++ stubs make a set, bind, keep a table from the stream over kill -9, and read the reason of a refusal', () =>
  bindAndFollow('cpp', out))
