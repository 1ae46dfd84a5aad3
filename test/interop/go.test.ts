import { join } from 'node:path'
import { beforeAll, test } from 'vitest'
import { tempDir } from '../support/daemon.ts'
import { bindAndFollow, COMPILE_MS, compile } from './compiled.ts'

const out = join(tempDir(), 'go')
// Go's cache would stay in the home directory.
beforeAll(() => compile('go', out, { GOCACHE: join(out, 'cache') }), COMPILE_MS)

test('Go stubs make a set, bind, keep a table from the stream over kill -9, and read the reason of a refusal', () =>
  bindAndFollow('go', out))
