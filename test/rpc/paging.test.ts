import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageCodec } from '../../proto/load.ts'
import { createSet } from '../support/engine.ts'
import { refusalOf, type Served, serve } from '../support/rpc.ts'

let served: Served
beforeAll(async () => {
  served = await serve({ space: { capacity: 20_000 } })
})
afterAll(() => served.stop())

type Page = { next_page_token: string } & Record<'sets' | 'infos', Record<string, unknown>[]>

const create = async (token: string): Promise<string> =>
  ((await served.set('CreateSet', { token })) as { set: { set_handle: string } }).set.set_handle

/** All pages of a list; between two of them something else may happen. */
async function pages(
  read: (token: string) => Promise<unknown>,
  between: (page: number) => Promise<unknown> = async () => undefined,
) {
  const found: Page[] = []
  let token = ''
  do {
    const page = (await read(token)) as Page
    found.push(page)
    token = page.next_page_token
    await between(found.length)
  } while (token !== '')
  return found
}

describe('ListSets', () => {
  it('lists every set once by number, whatever comes and goes meanwhile', async () => {
    const handles: string[] = []
    for (let made = 0; made < 25; made++) handles.push(await create(`p-${made}`))
    const list = (token: string) => served.set('ListSets', { token_prefix: 'p-', page_size: 4, page_token: token })
    const found = await pages(list, async (page) => {
      await create(`p-new-${page}`)
      // The one that ended the page, and one that was listed long ago.
      if (page < 4) await served.set('DeleteSet', { set_handle: handles[page * 4 - 1] })
      await create(`q-${page}`)
    })
    expect(found.slice(0, -1).every(({ sets }) => sets.length === 4)).toBe(true)
    const tokens = found.flatMap(({ sets }) => sets.map(({ token }) => token))
    const lived = Array.from({ length: 25 }, (_, index) => `p-${index}`)
    expect(tokens.filter((token) => lived.includes(String(token)))).toEqual(lived)
    expect(new Set(tokens).size).toBe(tokens.length)
  })

  it('shows anonymous sets with an empty prefix alone, and no handle ever', async () => {
    await create('')
    const all = (await served.set('ListSets', {})) as Page
    expect(all.sets.some(({ token }) => token === '')).toBe(true)
    expect(all.sets.every(({ set_handle }) => set_handle === '')).toBe(true)
    const some = (await served.set('ListSets', { token_prefix: 'p' })) as Page
    expect(some.sets.every(({ token }) => String(token).startsWith('p'))).toBe(true)
  })

  it('ends with an empty page_token exactly where the list ends', async () => {
    for (let made = 0; made < 6; made++) await create(`exact-${made}`)
    const list = (token: string) => served.set('ListSets', { token_prefix: 'exact-', page_size: 3, page_token: token })
    expect((await pages(list)).map(({ sets }) => sets.length)).toEqual([3, 3])
    expect(await served.set('ListSets', { token_prefix: 'nothing' })).toMatchObject({ sets: [], next_page_token: '' })
  })

  it('has a page of 500 by default, and caps what is asked for', async () => {
    const many = await serve()
    await Promise.all(Array.from({ length: 600 }, () => createSet(many.engine)))
    const first = (await many.set('ListSets', {})) as Page
    expect(first.sets).toHaveLength(500)
    const capped = (await many.set('ListSets', { page_size: 4_294_967_295 })) as Page
    expect(capped.sets).toHaveLength(500)
    const rest = (await many.set('ListSets', { page_size: 10_000, page_token: capped.next_page_token })) as Page
    expect(rest).toMatchObject({ sets: { length: 100 }, next_page_token: '' })
    many.stop()
  })
})

describe('ListIoasids', () => {
  it('lists every id of a set once, whatever comes and goes meanwhile', async () => {
    const handle = await create('busy')
    const own = { set_handle: handle }
    await served.ioasid('Allocate', { ...own, count: 50 })
    const first = (await served.ioasid('ListIoasids', { ...own, page_size: 50 })) as Page
    const ids = first.infos.map(({ ioasid }) => Number(ioasid))
    const freed: number[] = []
    const list = (token: string) => served.ioasid('ListIoasids', { ...own, page_size: 7, page_token: token })
    const found = await pages(list, async (page) => {
      if (page > 5) return
      // The last of the page, one before it and one still to come; and ids that are new in the list.
      for (const at of [page * 7 - 1, page * 7 - 3, page * 7 + 9]) {
        const id = ids[at] ?? 0
        if (id === 0 || freed.includes(id)) continue
        freed.push(id)
        await served.ioasid('Free', { ...own, ioasids: [id] })
      }
      await served.ioasid('Allocate', { ...own, count: 2 })
    })
    const listed = found.flatMap(({ infos }) => infos.map(({ ioasid, generation }) => `${ioasid}/${generation}`))
    expect(new Set(listed).size).toBe(listed.length)
    const generation = first.infos[0]?.['generation']
    for (const id of ids.filter((lived) => !freed.includes(lived))) expect(listed).toContain(`${id}/${generation}`)
  })

  it('keeps its pages under 4 MiB, however large the private data, and leaves nothing out', async () => {
    const handle = await create('x'.repeat(255))
    const own = { set_handle: handle }
    await served.ioasid('Allocate', { ...own, count: 2500, private_data: Buffer.alloc(4096, 1) })
    const codec = messageCodec('ioasid.v1.ListIoasidsResponse')
    const found = await pages((token) => served.ioasid('ListIoasids', { ...own, page_size: 10_000, page_token: token }))
    expect(found.length).toBeGreaterThan(2)
    for (const page of found) {
      const bytes = codec.serialize(page).length
      expect(bytes).toBeLessThan(4 * 1024 * 1024)
      expect(page.infos.length > 0).toBe(true)
    }
    expect(found.flatMap(({ infos }) => infos)).toHaveLength(2500)
    // Who may not see the data gets pages of the same ids all the same.
    const byToken = await pages((token) =>
      served.ioasid('ListIoasids', { token: 'x'.repeat(255), page_size: 10_000, page_token: token }),
    )
    expect(byToken.flatMap(({ infos }) => infos)).toHaveLength(2500)
  })
})

describe('a page_token', () => {
  it('is refused in every list but its own', async () => {
    const [one, two] = [await create('list-1'), await create('list-2')]
    for (const set_handle of [one, two]) await served.ioasid('Allocate', { set_handle, count: 3 })
    const sets = (await served.set('ListSets', { token_prefix: 'list', page_size: 1 })) as Page
    const ids = (await served.ioasid('ListIoasids', { set_handle: one, page_size: 1 })) as Page
    const refused = [
      () => served.set('ListSets', { token_prefix: 'lis', page_token: sets.next_page_token }),
      () => served.set('ListSets', { page_token: sets.next_page_token }),
      () => served.set('ListSets', { token_prefix: 'list', page_token: ids.next_page_token }),
      () => served.ioasid('ListIoasids', { set_handle: two, page_token: ids.next_page_token }),
      () => served.ioasid('ListIoasids', { set_handle: one, page_token: sets.next_page_token }),
    ]
    for (const call of refused) {
      expect(await refusalOf(call())).toMatchObject({ reason: 'INVALID_FIELD', metadata: { field: 'page_token' } })
    }
  })

  it('is refused if it is none, or was changed', async () => {
    const { next_page_token: good } = (await served.set('ListSets', { page_size: 1 })) as Page
    const of = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const [name] = JSON.parse(Buffer.from(good, 'base64url').toString()) as [string]
    const wrong = [
      'x',
      '!!!',
      good.slice(0, -2),
      `${good}=`,
      `${good}!`,
      ` ${good}`,
      `${good}${good}`,
      `${good}\ufffd`,
      of({}),
      of(null),
      of([]),
      of([name]),
      of([name, -1]),
      of([name, 1.5]),
      of([name, '1']),
      of([name, 1, 2]),
      of([name, 2 ** 60]),
    ]
    for (const page_token of wrong) {
      expect(await refusalOf(served.set('ListSets', { page_token })), page_token).toMatchObject({
        reason: 'INVALID_FIELD',
        metadata: { field: 'page_token' },
      })
    }
  })
})
