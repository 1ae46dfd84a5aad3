/**
 * How often a property is tried: so many times, or a part of that where PART_OF_RUNS says so. A mutation run (test/mutation)
 * repeats the same few draws for thousands of mutants.
 */
export function partOf(runs: number): number {
  return Math.ceil(runs * Number(process.env['PART_OF_RUNS'] ?? 1))
}
