// time limit: 120 s
/** Each decoder for a moment, from another seed each time; `npm run long -- fuzz` goes on for as long as it is told. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { fuzz } from './fuzz.ts'
import { fuzzGroups } from './targets.ts'

/** For one target. */
const SMOKE_MS = 120
const seed = Number(process.env['SEED'] ?? Math.trunc(Math.random() * 2 ** 31))
console.log(`seed ${seed}; repeat with SEED=${seed}`)

for (const [group, targets] of Object.entries(fuzzGroups))
  for (const target of targets)
    test(`${group}, ${target.name}: changed bytes are taken or refused as documented`, async () => {
      const { runs, taken } = await fuzz(target, { seed, ms: SMOKE_MS })
      assert.ok(runs > 32, `${runs} inputs`)
      assert.ok(taken > 0)
    })

test('no two decoders have one name', () => {
  const names = Object.values(fuzzGroups).flatMap((targets) => targets.map(({ name }) => name))
  assert.is(new Set(names).size, names.length)
})

test.run()
