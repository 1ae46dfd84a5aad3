/**
 * Whether two values say the same: what is undefined is as good as missing (an answer may come out of JSON), and the wall
 * clock decides nothing, so the model does not keep it.
 */
export function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (!isObject(a) || !isObject(b)) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false
    for (let index = 0; index < a.length; index++) if (!isSame(a[index], b[index])) return false
    return true
  }
  for (const key in a) if (key !== 'sinceWallMs' && !isSame(a[key], b[key])) return false
  for (const key in b) if (key !== 'sinceWallMs' && b[key] !== undefined && a[key] === undefined) return false
  return true
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

/** For a sentence. */
export function show(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (part instanceof Set ? [...part] : part)) ?? 'nothing'
}
