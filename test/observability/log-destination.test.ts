import { describe, expect, it } from 'vitest'
import { createDestination } from '../../server/log-destination.ts'
import { createManualClock } from '../support/manual-clock.ts'

const RETRY_MS = 20

/** A destination whose reader takes `room` bytes more, or is gone. */
function world() {
  const clock = createManualClock()
  const reader = { room: 0, isGone: false, text: '', asked: 0, slept: 0 }
  const destination = createDestination({
    after: clock.after,
    write: (bytes) => {
      reader.asked += 1
      if (reader.isGone) throw new Error('EPIPE')
      const taken = Math.min(bytes.length, reader.room)
      reader.room -= taken
      reader.text += Buffer.from(bytes.subarray(0, taken)).toString()
      return taken
    },
    leftOut: (lines) => destination.write(`missing ${lines}\n`),
    sleep: (ms) => {
      reader.slept += ms
    },
  })
  return { clock, reader, destination }
}

const KIB = `${'x'.repeat(1023)}\n`

describe('a destination of the log', () => {
  it('has written a line when it returns, where the reader takes it', () => {
    const { reader, destination } = world()
    reader.room = 100
    destination.write('one\n')
    destination.write('two\n')
    expect(reader.text).toBe('one\ntwo\n')
  })

  it('keeps what the reader does not take, in order and to the byte, and asks again only after a while', () => {
    const { clock, reader, destination } = world()
    reader.room = 2
    for (const line of ['one\n', 'zwei\n', 'drei\n']) destination.write(line)
    expect([reader.text, reader.asked]).toEqual(['on', 1])
    reader.room = 4
    clock.advance(RETRY_MS)
    expect(reader.text).toBe('one\nzw')
    reader.room = 100
    clock.advance(RETRY_MS)
    expect(reader.text).toBe('one\nzwei\ndrei\n')
    const { asked } = reader
    clock.advance(10 * RETRY_MS)
    expect(reader.asked).toBe(asked)
  })

  it('keeps 1 MiB, and says how many lines are missing where they are', () => {
    const { clock, reader, destination } = world()
    for (let line = 0; line < 1024 + 7; line++) destination.write(KIB)
    // Short enough, but after the gap.
    destination.write('late\n')
    reader.room = 2 ** 20
    clock.advance(RETRY_MS)
    expect(reader.text).toBe(KIB.repeat(1024))
    reader.room = 100
    clock.advance(RETRY_MS)
    destination.write('next\n')
    expect(reader.text.slice(2 ** 20)).toBe('missing 8\nnext\n')
  })

  it('takes a line that is longer than all that it keeps, and goes on after it', () => {
    const { clock, reader, destination } = world()
    destination.write(KIB.repeat(2000))
    destination.write('lost\n')
    reader.room = 2 ** 22
    clock.advance(RETRY_MS)
    destination.write('next\n')
    expect(reader.text.slice(2000 * 1024)).toBe('missing 1\nnext\n')
  })

  it('forgets lines that nobody reads any more, throws nothing, and writes again for who comes later', () => {
    const { clock, reader, destination } = world()
    destination.write('one\n')
    reader.isGone = true
    clock.advance(RETRY_MS)
    destination.write('two\n')
    reader.isGone = false
    reader.room = 100
    destination.write('three\n')
    expect(reader.text).toBe('three\n')
  })

  it('waits at the end for a reader that takes nothing, but not for long', () => {
    const { reader, destination } = world()
    destination.write('one\n')
    destination.flush()
    expect(reader.slept).toBe(200)
    reader.room = 100
    destination.flush()
    expect([reader.text, reader.slept]).toEqual(['one\n', 200])
  })
})
