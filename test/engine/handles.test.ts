import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asLeaseId, asSetId } from '../../server/core/ids.ts'
import { createHandles } from '../../server/engine/handles.ts'

const handles = createHandles(new Uint8Array(32).fill(1))
const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })

describe('a handle', () => {
  it('names its set or its lease, the second time as the first, and nothing of the other kind', () => {
    fc.assert(
      fc.property(number, (value) => {
        const set = handles.ofSet(asSetId(value))
        const lease = handles.ofLease(asLeaseId(value))
        for (let time = 0; time < 2; time++) {
          expect(handles.toSet(set)).toBe(value)
          expect(handles.toLease(lease)).toBe(value)
          expect(handles.toSet(lease)).toBe(0)
          expect(handles.toLease(set)).toBe(0)
        }
      }),
    )
  })

  it('that differs in one letter names nothing, also when the genuine one was shown before', () => {
    const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
    fc.assert(
      fc.property(number, fc.nat(), fc.constantFrom(...letters), (value, at, letter) => {
        const genuine = handles.ofSet(asSetId(value))
        expect(handles.toSet(genuine)).toBe(value)
        const place = at % genuine.length
        const guess = genuine.slice(0, place) + letter + genuine.slice(place + 1)
        expect(handles.toSet(guess)).toBe(guess === genuine ? value : 0)
      }),
    )
  })

  it('is known by more sets than are remembered', () => {
    const all = Array.from({ length: 10_000 }, (_, index) => handles.ofSet(asSetId(index + 1)))
    for (let time = 0; time < 2; time++) expect(all.map(handles.toSet)).toEqual(all.map((_, index) => index + 1))
  })

  it('of another directory names nothing', () => {
    const others = createHandles(new Uint8Array(32).fill(2))
    expect(others.toSet(handles.ofSet(asSetId(1)))).toBe(0)
  })
})
