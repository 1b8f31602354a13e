/** Random and mutated bytes: every parser of PROTOCOL §12 answers with a message or `PROTOCOL_VIOLATION`, nothing else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError, createChance, createNodeEnv } from '../../../../runtime/index.ts'
import { messages } from './mirror-sample.ts'

const RUNS = 30_000
const seed = Math.floor(createNodeEnv().random() * 2 ** 32)
console.log(`seed ${seed}`)
const chance = createChance(seed)
const below = (max: number): number => Math.floor(chance() * max)

/** True when it parsed. */
function survives(name: string, parse: (bytes: Uint8Array) => unknown, bytes: Uint8Array): boolean {
  try {
    parse(bytes)
    return true
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'PROTOCOL_VIOLATION') return false
    throw new Error(`${name}, seed ${seed}, bytes ${Buffer.from(bytes).toString('hex')}`, { cause: error })
  }
}

function mutate(bytes: Uint8Array): Uint8Array {
  let out = bytes.slice()
  for (let n = below(4); n >= 0; n -= 1) {
    const at = below(out.length)
    switch (below(4)) {
      case 0:
        out[at] = below(256)
        break
      case 1:
        out[at] = (out[at] ?? 0) ^ (1 << below(8))
        break
      case 2:
        out = out.slice(0, Math.max(1, at))
        break
      default: {
        const from = below(bytes.length)
        out = Uint8Array.of(
          ...out.subarray(0, at),
          ...bytes.subarray(from, from + below(20)),
          ...out.subarray(at),
        )
      }
    }
  }
  return out
}

for (const { name, bytes, parse } of messages) {
  test(`${name}: mutated bytes parse or are a violation`, () => {
    let parsed = 0
    for (let run = 0; run < RUNS / messages.length; run += 1)
      if (survives(name, parse, mutate(bytes))) parsed += 1
    assert.ok(survives(name, parse, bytes))
    assert.ok(parsed > 0, 'some mutations are harmless, so the parser was reached')
  })
}

test('random bytes parse or are a violation', () => {
  for (let run = 0; run < RUNS; run += 1) {
    const bytes = Uint8Array.from({ length: below(80) }, () => below(256))
    for (const { name, parse } of messages) survives(name, parse, bytes)
  }
})

test.run()
