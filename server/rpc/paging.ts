import type { Page } from '../core/query.ts'
import { refuseField } from './refused.ts'

/** Pages of lists: how many items, and a page_token that leads on in the same list and in no other. */

/** The default and the most: a page is made in one turn of the event loop, in which nobody else is served. */
const PAGE_SIZE = 500
/** Below the 4 MiB that clients accept by default, whatever the framing takes. */
const MAX_PAGE_BYTES = 3 * 1024 * 1024

interface PageRequest {
  readonly page_size: number
  readonly page_token: string
}

export interface PageAsked {
  readonly limit: number
  /** Where the page before ended, as `encodePage` was told; undefined: at the beginning. */
  readonly cursor: readonly number[] | undefined
}

/** `list` names the list and everything that shapes it, `cursorLength` how many numbers a place in it has. */
export function decodePage(request: PageRequest, list: string, cursorLength: number): PageAsked {
  const limit = Math.min(request.page_size || PAGE_SIZE, PAGE_SIZE)
  if (request.page_token === '') return { limit, cursor: undefined }
  const cursor = parseToken(request.page_token, list)
  if (cursor === undefined || cursor.length !== cursorLength) {
    return refuseField('page_token', 'not one that this list gave.')
  }
  return { limit, cursor }
}

/** Cuts the page where its message would grow too large, and says where the next one begins. */
export function encodePage<Item>(
  page: Page<Item>,
  list: string,
  weigh: (item: Item) => number,
  cursorOf: (item: Item) => readonly number[],
): { readonly items: readonly Item[]; readonly nextPageToken: string } {
  let bytes = 0
  let count = 0
  for (const item of page.items) {
    bytes += weigh(item)
    if (bytes > MAX_PAGE_BYTES && count > 0) break
    count += 1
  }
  const items = page.items.slice(0, count)
  const last = items.at(-1)
  const isLast = !page.more && count === page.items.length
  if (isLast || last === undefined) return { items, nextPageToken: '' }
  return { items, nextPageToken: formatToken(list, cursorOf(last)) }
}

function formatToken(list: string, cursor: readonly number[]): string {
  return Buffer.from(JSON.stringify([list, ...cursor])).toString('base64url')
}

function parseToken(token: string, list: string): readonly number[] | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (!Array.isArray(parsed)) return undefined
    const [name, ...cursor]: unknown[] = parsed
    if (name !== list || !cursor.every(isPlace)) return undefined
    // Node reads past characters that are no base64, so what it reads must also be what was written.
    return formatToken(list, cursor) === token ? cursor : undefined
  } catch {
    return undefined
  }
}

function isPlace(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0
}
