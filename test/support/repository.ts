import { fileURLToPath } from 'node:url'

/** The top of the checkout. */
export const repositoryRoot: string = fileURLToPath(new URL('../..', import.meta.url))
