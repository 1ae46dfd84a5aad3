import { describe, expect, it } from 'vitest'
import { freshUuid } from '../../client/uuid.ts'

describe('a fresh UUID', () => {
  const uuids = Array.from({ length: 1000 }, freshUuid)

  it('is one of version 4', () => {
    for (const uuid of uuids) expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/)
  })

  it('is never given twice', () => {
    expect(new Set(uuids).size).toBe(uuids.length)
  })

  it('is random in each place but those that say what it is', () => {
    const fixed = new Set([8, 13, 14, 18, 19, 23])
    for (let place = 0; place < 36; place += 1) {
      const found = new Set(uuids.map((uuid) => uuid[place]))
      expect(found.size, `at ${place}`).toBe(fixed.has(place) ? 1 : 16)
    }
  })
})
