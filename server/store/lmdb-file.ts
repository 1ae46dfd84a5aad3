import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'
import { damaged } from './codec.ts'
import type { StoreError } from './store.ts'

/**
 * Looks over an LMDB file before LMDB does. LMDB trusts its file: it maps it and follows what it finds, so that a page cut
 * off or scribbled over ends the process with SIGSEGV, SIGBUS or an assertion, and an operator with nothing to go by. This
 * reads the same pages as plain bytes and checks what LMDB would follow: both meta pages, and of every page that the trees
 * reach its number, kind, bounds and nodes, and that it lies in the file and is reached once. What the pages carry is covered
 * by the records' checksums (codec.ts). Not covered: the list of free pages, beyond its own tree.
 *
 * The format is that of LMDB's data version 2 (mdb.c: MDB_page, MDB_node, MDB_meta), which lmdb-js writes in the byte order of
 * the machine. Reading takes about 3 µs for each 4 KiB of log; the contents of large values are not read.
 */
const MAGIC = 0xbeefc0de
const DATA_VERSION = 2
const META_PAGES = 2
const PAGE_HEADER = 24
const NODE_HEADER = 8
const TREE_BYTES = 48
const OVERFLOW_BYTES = 24
const LITTLE = endianness() === 'LE'

const BRANCH = 0x01
const LEAF = 0x02
const OVERFLOW = 0x04
const META = 0x08
/** The flags that say what a page is; the others are LMDB's own notes. */
const KIND = 0x2f

const BIG = 0x01
const SUBTREE = 0x02
const NO_ROOT = 0xffff_ffff_ffff_ffffn

interface DataFile {
  readonly path: string
  readonly fd: number
  readonly pageBytes: number
  /** Pages that LMDB may follow: those it has used, and that are in the file. */
  readonly pages: number
  readonly seen: Uint8Array
  readonly page: DataView
}

interface Tree {
  readonly root: number | undefined
  readonly depth: number
}

interface Meta {
  readonly pageBytes: number
  readonly trees: readonly Tree[]
  readonly lastPage: number
  readonly transaction: bigint
}

/** Throws StoreError DAMAGED. A file that is missing or empty is no damage: there, LMDB begins a new one. */
export function checkLmdbFile(path: string): void {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return
    throw error
  }
  try {
    const bytes = fstatSync(fd).size
    if (bytes > 0) checkFile(path, fd, bytes)
  } finally {
    closeSync(fd)
  }
}

function checkFile(path: string, fd: number, bytes: number): void {
  const first = readMeta(path, fd, 0, 0)
  const second = readMeta(path, fd, 1, first.pageBytes)
  if (second.pageBytes !== first.pageBytes) throw damaged(`the meta pages of ${path} disagree`)
  const { pageBytes, trees, lastPage } = second.transaction > first.transaction ? second : first
  const pages = Math.min(lastPage + 1, Math.floor(bytes / pageBytes))
  const seen = new Uint8Array(pages).fill(1, 0, META_PAGES)
  const file: DataFile = { path, fd, pageBytes, pages, seen, page: new DataView(new ArrayBuffer(pageBytes)) }
  const [free = { root: undefined, depth: 0 }, main = { root: undefined, depth: 0 }] = trees
  checkTree(file, free)
  for (const tree of checkTree(file, main)) checkTree(file, tree)
}

function readMeta(path: string, fd: number, number: number, offset: number): Meta {
  const view = new DataView(new ArrayBuffer(PAGE_HEADER + 144))
  if (readSync(fd, view, 0, view.byteLength, offset) < view.byteLength) throw damaged(`${path} is cut off`)
  const isMeta = (view.getUint16(18, LITTLE) & KIND) === META && view.getUint32(24, LITTLE) === MAGIC
  if (!isMeta) throw damaged(`${path} is no LMDB file, or its meta page ${number} is overwritten`)
  const version = view.getUint32(28, LITTLE) & 0xffff
  const pageBytes = view.getUint32(48, LITTLE)
  const lastPage = Number(view.getBigUint64(144, LITTLE))
  const known =
    version === DATA_VERSION && pageBytes >= 512 && pageBytes <= 65536 && (pageBytes & (pageBytes - 1)) === 0
  if (!known || lastPage < META_PAGES - 1 || !Number.isSafeInteger(lastPage * pageBytes)) {
    throw damaged(`the meta page ${number} of ${path} makes no sense`)
  }
  const trees = [readTree(view, 48), readTree(view, 96)]
  return { pageBytes, trees, lastPage, transaction: view.getBigUint64(152, LITTLE) }
}

function readTree(view: DataView, offset: number): Tree {
  const root = view.getBigUint64(offset + 40, LITTLE)
  return { root: root === NO_ROOT ? undefined : Number(root), depth: view.getUint16(offset + 6, LITTLE) }
}

/** Checks a tree, and returns those that it holds. */
function checkTree(file: DataFile, tree: Tree): Tree[] {
  const subtrees: Tree[] = []
  if (tree.root === undefined) return subtrees
  const open = [{ number: tree.root, level: 1 }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { number, level } = next
    const isLeaf = level === tree.depth
    readPage(file, number, isLeaf ? LEAF : BRANCH)
    const values = nodesOf(file, number).map((node) => readNode(file, number, node, isLeaf))
    for (const value of values) {
      if (value.kind === 'branch') open.push({ number: value.page, level: level + 1 })
      else if (value.kind === 'tree') subtrees.push(value.tree)
      else if (value.kind === 'overflow') checkOverflow(file, value.page, value.count)
    }
  }
  return subtrees
}

function readPage(file: DataFile, number: number, kind: number): void {
  visit(file, number, 1)
  readSync(file.fd, file.page, 0, file.pageBytes, number * file.pageBytes)
  if (!isPage(file.page, number, kind)) throw overwritten(file, number)
}

function checkOverflow(file: DataFile, first: number, count: number): void {
  visit(file, first, count)
  readSync(file.fd, file.page, 0, PAGE_HEADER, first * file.pageBytes)
  const fits = isPage(file.page, first, OVERFLOW) && file.page.getUint32(20, LITTLE) === count
  if (!fits) throw overwritten(file, first)
}

function visit({ path, pages, seen }: DataFile, first: number, count: number): void {
  if (!(first + count <= pages)) throw damaged(`${path} ends before page ${first + count - 1}`)
  if (seen.subarray(first, first + count).includes(1)) throw damaged(`two places of ${path} lead to page ${first}`)
  seen.fill(1, first, first + count)
}

function isPage(page: DataView, number: number, kind: number): boolean {
  return Number(page.getBigUint64(0, LITTLE)) === number && (page.getUint16(18, LITTLE) & KIND) === kind
}

/** Where the nodes of a page begin, each within its bounds. */
function nodesOf(file: DataFile, number: number): number[] {
  const { page, pageBytes } = file
  const room = pageBytes - PAGE_HEADER
  const lower = page.getUint16(20, LITTLE)
  const upper = page.getUint16(22, LITTLE)
  if (lower === 0 || lower % 2 !== 0 || lower > upper || upper > room) throw overwritten(file, number)
  const nodes: number[] = []
  for (let pointer = 0; pointer < lower; pointer += 2) {
    const offset = page.getUint16(PAGE_HEADER + pointer, LITTLE)
    if (offset < upper || offset + NODE_HEADER > room) throw overwritten(file, number)
    nodes.push(PAGE_HEADER + offset)
  }
  return nodes
}

type NodeValue =
  | { readonly kind: 'branch'; readonly page: number }
  | { readonly kind: 'tree'; readonly tree: Tree }
  | { readonly kind: 'overflow'; readonly page: number; readonly count: number }
  | { readonly kind: 'here' }

function readNode(file: DataFile, number: number, node: number, isLeaf: boolean): NodeValue {
  const { page, pageBytes } = file
  const low = page.getUint16(node + (LITTLE ? 0 : 2), LITTLE)
  const high = page.getUint16(node + (LITTLE ? 2 : 0), LITTLE)
  const size = low + high * 2 ** 16
  const flags = page.getUint16(node + 4, LITTLE)
  const data = node + NODE_HEADER + page.getUint16(node + 6, LITTLE)
  if (!isLeaf) {
    if (data > pageBytes) throw overwritten(file, number)
    return { kind: 'branch', page: size + flags * 2 ** 32 }
  }
  const dataBytes = flags === BIG ? OVERFLOW_BYTES : size
  if (data + dataBytes > pageBytes) throw overwritten(file, number)
  if (flags === 0) return { kind: 'here' }
  if (flags === SUBTREE && size === TREE_BYTES) return { kind: 'tree', tree: readTree(page, data) }
  const count = Math.floor((PAGE_HEADER - 1 + size) / pageBytes) + 1
  const fits = flags === BIG && Number(page.getBigUint64(data + 16, LITTLE)) === count
  if (!fits) throw overwritten(file, number)
  return { kind: 'overflow', page: Number(page.getBigUint64(data, LITTLE)), count }
}

function overwritten({ path }: DataFile, number: number): StoreError {
  return damaged(`page ${number} of ${path} is overwritten`)
}
