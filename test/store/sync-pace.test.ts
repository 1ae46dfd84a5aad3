import { expect, test } from 'vitest'
import { createSyncPace, isQuick, noteSync, type SyncPace } from '../../server/store/sync-pace.ts'

const QUICK = 200_000
const SLOW = 5_000_000

function note(pace: SyncPace, count: number, ns: number): void {
  for (let index = 0; index < count; index++) noteSync(pace, ns)
}

test('a disk is taken to be quick until it was seen to be slow', () => {
  const pace = createSyncPace()
  expect(isQuick(pace)).toBe(true)
  note(pace, 1, SLOW)
  expect(isQuick(pace)).toBe(false)
})

test('a slow sync now and then changes nothing', () => {
  const pace = createSyncPace()
  for (let round = 0; round < 100; round++) {
    note(pace, 2, QUICK)
    note(pace, 1, SLOW)
    expect(isQuick(pace)).toBe(true)
  }
})

test('a disk is slow when more than half of the last 32 syncs are, and quick again when they are not', () => {
  const pace = createSyncPace()
  note(pace, 1000, QUICK)
  note(pace, 16, SLOW)
  expect(isQuick(pace)).toBe(true)
  note(pace, 1, SLOW)
  expect(isQuick(pace)).toBe(false)
  note(pace, 32, SLOW)
  note(pace, 15, QUICK)
  expect(isQuick(pace)).toBe(false)
  note(pace, 1, QUICK)
  expect(isQuick(pace)).toBe(true)
})
