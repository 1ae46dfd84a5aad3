import { type Change, type Pair, TABLES, type Table } from '../../server/store/kv.ts'

/** What is on a simulated disk: ordered maps of bytes. Keys are told apart as text of one character a byte. */
export interface Tables {
  get(table: Table, key: Uint8Array): Uint8Array | undefined
  range(table: Table, from: Uint8Array, to: Uint8Array): Pair[]
  lastKey(table: Table, upTo?: Uint8Array): Uint8Array | undefined
  apply(changes: readonly Change[]): void
}

interface OrderedMap {
  /** Ascending. */
  readonly keys: string[]
  readonly values: Map<string, Uint8Array>
}

export function createTables(): Tables {
  const maps = new Map<Table, OrderedMap>(TABLES.map((table) => [table, { keys: [], values: new Map() }]))
  const of = (table: Table): OrderedMap => {
    const map = maps.get(table)
    if (map === undefined) throw new Error(`there is no table ${table}`)
    return map
  }

  return {
    get: (table, key) => of(table).values.get(textOf(key)),
    range: (table, from, to) => {
      const { keys, values } = of(table)
      const found: Pair[] = []
      for (const key of keys.slice(placeOf(keys, textOf(from)), placeOf(keys, textOf(to)))) {
        const value = values.get(key)
        if (value !== undefined) found.push({ key: Buffer.from(key, 'latin1'), value })
      }
      return found
    },
    lastKey: (table, upTo) => {
      const { keys } = of(table)
      const key = upTo === undefined ? keys.at(-1) : keys[placeOf(keys, `${textOf(upTo)}\0`) - 1]
      return key === undefined ? undefined : Buffer.from(key, 'latin1')
    },
    apply: (changes) => {
      for (const { table, key, value } of changes) put(of(table), textOf(key), value)
    },
  }
}

function put({ keys, values }: OrderedMap, key: string, value: Uint8Array | null): void {
  const place = placeOf(keys, key)
  const isThere = keys[place] === key
  if (value === null) {
    if (isThere) keys.splice(place, 1)
    values.delete(key)
    return
  }
  if (!isThere) keys.splice(place, 0, key)
  values.set(key, value)
}

/** Where the key is or would be. */
function placeOf(keys: readonly string[], key: string): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((keys[middle] ?? '') < key) low = middle + 1
    else high = middle
  }
  return low
}

function textOf(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.length).toString('latin1')
}
