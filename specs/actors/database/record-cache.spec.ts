/** The cache keeps what is used and never exceeds its bound. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RecordCache } from '../../../actors/database/view/record-cache.ts'
import type { Assembled } from '../../../actors/database/view/record-reader.ts'
import { createChance } from '../../../runtime/index.ts'

function record(): Assembled {
  return { state: undefined, context: [], holds: [] }
}

test('the sum of estimates never exceeds the bound', () => {
  const cache = new RecordCache(1000)
  const chance = createChance(1)
  const latest = new Map<string, Assembled>()
  for (let step = 0; step < 20_000; step += 1) {
    const tag = `t${Math.floor(chance() * 60)}`
    const kind = chance()
    if (kind < 0.5) {
      const fresh = record()
      latest.set(tag, fresh)
      cache.set(tag, fresh, 1 + Math.floor(chance() * 700))
    } else if (kind < 0.9) {
      const found = cache.get(tag)
      if (found !== undefined) assert.is(found, latest.get(tag))
    } else {
      cache.delete(tag)
      latest.delete(tag)
    }
    assert.ok(cache.bytes >= 0 && cache.bytes <= 1000)
  }
})

test('what is used again outlives what is not', () => {
  const cache = new RecordCache(1000)
  const used = record()
  cache.set('used', used, 100)
  for (let n = 0; n < 100; n += 1) {
    cache.set(`other${n}`, record(), 100)
    assert.is(cache.get('used'), used)
  }
  assert.is(cache.get('other0'), undefined)
  cache.set('huge', record(), 501)
  assert.is(cache.get('huge'), undefined)
})

test.run()
