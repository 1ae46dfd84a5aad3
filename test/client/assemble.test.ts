import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { assemble, newAssembly } from '../../client/assemble.ts'
import { messageCodec } from '../../proto/load.ts'
import { events, header, heartbeat, snapshotEnd } from './messages.ts'

const codec = messageCodec('ioasid.v1.SubscribeResponse')

/** What a stream of these messages tells, as short texts. */
function told(messages: object[], isSnapshot = false): string[] {
  const assembly = newAssembly(isSnapshot)
  return messages.map((message) => {
    const item = assemble(assembly, codec.deserialize(codec.serialize(message)))
    if (item === undefined) return '-'
    if (item.kind === 'gap') return 'gap'
    const ids = 'notifications' in item ? ` ${item.notifications.map(({ ioasid }) => ioasid).join(',')}` : ''
    return `${item.kind} ${item.revision}${ids}`
  })
}

describe('the messages of a stream', () => {
  it('become revisions, whole ones', () => {
    const messages = [header(3), events(5, 3, [1]), events(7, 5, [2], true), events(7, 7, [3], true), events(7, 7, [4])]
    expect(told(messages)).toEqual(['progress 3', 'revision 5 1', '-', '-', 'revision 7 2,3,4'])
  })

  it('of a snapshot become its parts, and revisions after it', () => {
    const messages = [header(3), events(3, 3, [1], true), events(3, 3, [2], true), snapshotEnd(3), events(4, 3, [3])]
    expect(told(messages, true)).toEqual([
      'snapshotBegin 3',
      'snapshot 3 1',
      'snapshot 3 2',
      'snapshotEnd 3',
      'revision 4 3',
    ])
    expect(told([header(0), snapshotEnd(0)], true)).toEqual(['snapshotBegin 0', 'snapshotEnd 0'])
  })

  it('of heartbeats become progress', () => {
    expect(told([header(3), heartbeat(3, 3), heartbeat(9, 3), events(10, 9, [1])])).toEqual([
      'progress 3',
      'progress 3',
      'progress 9',
      'revision 10 1',
    ])
  })

  const gaps: [string, object[], boolean][] = [
    ['the first is no HEADER', [events(5, 0, [1])], false],
    ['the first follows something', [{ ...header(5), prev_revision: '4' }], false],
    ['one is missing', [header(3), events(5, 4, [1])], false],
    ['one is there twice', [header(3), events(3, 3, [1])], false],
    ['the order is wrong', [header(3), events(2, 3, [1])], false],
    ['a second HEADER', [header(3), { ...header(4), prev_revision: '3' }], false],
    ['a revision has no end', [header(3), events(4, 3, [1], true), events(5, 4, [2])], false],
    ['a heartbeat in a revision', [header(3), events(4, 3, [1], true), heartbeat(4, 4)], false],
    ['a heartbeat in a snapshot', [header(3), heartbeat(3, 3)], true],
    ['an end of no snapshot', [header(3), snapshotEnd(3)], false],
    ['a kind that is none', [header(3), { ...heartbeat(3, 3), kind: 0 }], false],
  ]

  it.each(gaps)('are a gap when %s', (_name, messages, isSnapshot) => {
    expect(told(messages, isSnapshot).at(-1)).toBe('gap')
  })

  it('of a newer daemon are taken without what is not known', () => {
    const unknown = { ...events(5, 3, [1]), notifications: [{ type: 77, revision: '5' }] }
    expect(told([header(3), unknown])).toEqual(['progress 3', 'progress 5'])
  })

  it('make no sense without what the protocol promises', () => {
    const bare = { ...events(5, 3, [1]), notifications: [{ type: 'BIND', revision: '5', ioasid: 1 }] }
    expect(() => told([header(3), bare])).toThrow('no generation on BIND')
  })

  it('tell the same however a revision is cut into messages', () => {
    const ids = fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1, maxLength: 6 })
    const cut = fc.array(ids, { minLength: 1, maxLength: 4 })
    const check = fc.property(fc.array(cut, { minLength: 1, maxLength: 5 }), (revisions) => {
      let last = 3
      const messages = revisions.flatMap((parts, index) => {
        return parts.map((part, nth) => {
          const revision = 10 + index
          const message = events(revision, last, part, nth < parts.length - 1)
          last = revision
          return message
        })
      })
      const whole = revisions.map((parts, index) => `revision ${10 + index} ${parts.flat().join(',')}`)
      expect(told([header(3), ...messages]).filter((text) => text !== '-')).toEqual(['progress 3', ...whole])
    })
    fc.assert(check)
  })
})
