import { expect, it } from 'vitest'
import { packageDefinition } from '../../proto/load.ts'
import { PAGED } from '../../server/rpc/admission.ts'

it('whatever answers in pages takes its turn with them', () => {
  const methods = Object.values(packageDefinition).flatMap((definition) =>
    'format' in definition ? [] : Object.values(definition),
  )
  const leadOn = methods.filter(({ responseType }) => JSON.stringify(responseType.type).includes('"next_page_token"'))
  expect(leadOn.length).toBeGreaterThan(2)
  const paths = methods.map(({ path }) => path).filter((path) => PAGED.test(path))
  expect(paths.sort()).toEqual(leadOn.map(({ path }) => path).sort())
})
