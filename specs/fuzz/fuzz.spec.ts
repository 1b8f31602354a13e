/** The fuzzer itself: each kind of fault that a decoder may have is found, named, and found again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError, ByteReader, createChance } from '../../runtime/index.ts'
import { fuzz, FuzzFailure } from './fuzz.ts'
import type { FuzzTarget } from './fuzz.ts'
import { mutate } from './mutate.ts'

const seeds = [Uint8Array.of(2, 10, 20)]

/** `u8 n | n × u8`, as it should be: `broken` is given the bytes behind the count. */
function planted(broken: (count: number, rest: Uint8Array) => void): FuzzTarget {
  return {
    name: 'planted',
    codes: ['PROTOCOL_VIOLATION'],
    seeds,
    decode(bytes) {
      const reader = new ByteReader(bytes, 'list')
      const count = reader.u8()
      broken(count, bytes.subarray(1))
      reader.bytes(count)
      reader.end()
    },
  }
}

async function failureOf(target: FuzzTarget, seed = 7): Promise<FuzzFailure> {
  try {
    await fuzz(target, { seed, ms: 2_000 })
  } catch (error) {
    if (error instanceof FuzzFailure) return error
    throw error
  }
  throw new Error('the fault was not found')
}

test('a sound decoder passes, with inputs of both kinds', async () => {
  const { runs, taken } = await fuzz(
    planted(() => undefined),
    { seed: 7, ms: 50 },
  )
  assert.ok(taken > 1 && taken < runs)
})

test('an error that is none of the project is found', async () => {
  const failure = await failureOf(
    planted((count, rest) => {
      if (count > rest.length) throw new TypeError('of undefined')
    }),
  )
  assert.match(
    failure.message,
    /planted, seed 7, input \d+: it threw TypeError: of undefined\n {2}bytes [0-9a-f]*/,
  )
})

test('a code that the decoder does not document is found', async () => {
  const failure = await failureOf(
    planted((count) => {
      if (count === 3) throw new BlazeError('DAMAGED', 'three')
    }),
  )
  assert.match(failure.message, 'DAMAGED, which it does not document: three')
})

test('a loop over a count that was only claimed is found', async () => {
  const failure = await failureOf(
    planted((count, rest) => {
      const untilMs = performance.now() + (count === 255 && rest.length < 255 ? 600 : 0)
      while (performance.now() < untilMs);
    }),
  )
  assert.match(failure.message, /it took \d+ ms/)
})

test('a fault that shows later is found too', async () => {
  const sound = planted(() => undefined)
  const failure = await failureOf({
    ...sound,
    async decode(bytes) {
      await Promise.resolve()
      if (bytes[0] === 3) throw new TypeError('of undefined')
      sound.decode(bytes)
    },
  })
  assert.match(failure.message, 'it threw TypeError')
})

test('memory for a length that was only claimed is found', async () => {
  const failure = await failureOf(
    planted((count) => {
      if (count > 200) new Uint8Array(100 * 1_048_576).fill(1)
    }),
  )
  assert.match(failure.message, /it took \d+ MiB/)
})

test('a valid encoding that is refused is found', async () => {
  assert.match(
    (await failureOf({ ...planted(() => undefined), seeds: [Uint8Array.of(9)] })).message,
    'a valid encoding is refused',
  )
})

test('the same seed gives the same inputs, another seed others, none longer than asked for', () => {
  const inputs = (seed: number): string[] => {
    const chance = createChance(seed)
    return Array.from({ length: 500 }, () => Buffer.from(mutate(seeds, chance, 1_000)).toString('hex'))
  }
  assert.equal(inputs(1), inputs(1))
  assert.is.not(inputs(1).join(), inputs(2).join())
  assert.ok(inputs(1).every((hex) => hex.length <= 2_000))
})

test.run()
