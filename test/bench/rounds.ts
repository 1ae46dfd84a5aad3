/**
 * Every variant once in each round, in an order that is chance, so that what the machine does meanwhile falls on all alike.
 * Round by round what they gave, by the variant's name.
 */
export async function inRounds<Name extends string, Figures>(
  rounds: number,
  variants: Readonly<Record<Name, () => Promise<Figures>>>,
): Promise<readonly Readonly<Record<Name, Figures>>[]> {
  const names = Object.keys(variants) as Name[]
  const measured: Record<Name, Figures>[] = []
  for (let round = 0; round < rounds; round += 1) {
    const figures: Partial<Record<Name, Figures>> = {}
    for (const name of shuffled(names)) figures[name] = await variants[name]()
    measured.push(figures as Record<Name, Figures>)
  }
  return measured
}

function shuffled<T>(values: readonly T[]): readonly T[] {
  return values
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}
