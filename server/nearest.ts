/** The word that somebody may have meant, if one is near enough. */
export function nearest(text: string, words: readonly string[]): string | undefined {
  if (text.length > MAX_LENGTH) return undefined
  const meant = text.toLowerCase().replace(/^-+/, '').replaceAll('_', '-')
  let best: string | undefined
  // Of a short word hardly a letter may be wrong: everything is near to it.
  let bestDistance = Math.min(MAX_DISTANCE, Math.floor(meant.length * 0.4)) + 1
  for (const word of words) {
    const distance = editDistance(meant, word)
    if (distance >= bestDistance) continue
    best = word
    bestDistance = distance
  }
  return best
}

const MAX_LENGTH = 64
const MAX_DISTANCE = 3

/** Letters to insert, delete, replace or swap with their neighbour until one text is the other. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = []
  let last = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const isSame = from[row - 1] === to[column - 1]
      const isSwapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]
      current.push(
        Math.min(
          at(last, column) + 1,
          at(current, column - 1) + 1,
          at(last, column - 1) + (isSame ? 0 : 1),
          isSwapped ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
        ),
      )
    }
    beforeLast = last
    last = current
  }
  return at(last, to.length)
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY
}
