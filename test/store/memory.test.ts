import { createMemoryStore } from '../../server/store/memory.ts'
import { GENESIS } from './history.ts'
import { storeSuite } from './suite.ts'

storeSuite('memory', async () => ({ store: createMemoryStore(GENESIS), restart: async (store) => store }))
