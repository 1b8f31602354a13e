/** Promises of the real environment, with short real waits. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createChance } from '../../runtime/chance.ts'
import { assert as check, AssertionFailure, BlazeError, createNodeEnv, ERRORS } from '../../runtime/index.ts'

test('a timer fires after its delay, and never once it is cancelled', async () => {
  const env = createNodeEnv()
  const seen: string[] = []
  const started = env.monotonic()
  env.after(1, () => seen.push('cancelled')).cancel()

  await new Promise<void>((resolve) => void env.after(15, resolve))

  assert.ok(env.monotonic() - started >= 14)
  assert.equal(seen, [])
})

test('a delay beyond what Node can count does not fire at once', async () => {
  const env = createNodeEnv()
  let fired = false
  const timer = env.after(2 ** 40, () => {
    fired = true
  })

  await new Promise<void>((resolve) => void env.after(10, resolve))
  timer.cancel()

  assert.is(fired, false)
})

test('deferred work runs in order, after the promises that are ready', async () => {
  const env = createNodeEnv()
  const order: string[] = []

  env.defer(() => order.push('first'))
  const done = new Promise<void>((resolve) => env.defer(resolve))
  void Promise.resolve().then(() => order.push('promise'))
  await done

  assert.equal(order, ['promise', 'first'])
})

test('entropy gives any number of bytes, different every time', () => {
  const env = createNodeEnv()

  const large = env.entropy(70_000)

  assert.is(large.length, 70_000)
  assert.ok(large.subarray(65_536).some((byte) => byte !== 0))
  assert.is.not(env.entropy(16).join(), env.entropy(16).join())
})

test('chance is even, in range and the same for the same seed', () => {
  const chance = createChance(42)
  const again = createChance(42)
  const buckets = new Array<number>(10).fill(0)

  for (let i = 0; i < 100_000; i++) {
    const draw = chance()
    assert.is(draw, again())
    const bucket = Math.floor(draw * 10)
    buckets[bucket] = (buckets[bucket] ?? Number.NaN) + 1
  }

  assert.ok(
    buckets.every((count) => count > 9_500 && count < 10_500),
    buckets.join(),
  )
})

test('an error carries its code, cause and details, and is retryable as the table says', () => {
  const cause = new Error('root')
  const error = new BlazeError('TIMEOUT', 'waited too long', { cause, details: { ms: 5 } })

  assert.is(error.code, 'TIMEOUT')
  assert.is(error.cause, cause)
  assert.equal(error.details, { ms: 5 })
  assert.is(error.retryable, true)
  assert.is(new BlazeError('FORBIDDEN', 'no').retryable, false)
  for (const [code, entry] of Object.entries(ERRORS))
    assert.ok(entry.meaning.length > 10 && entry.advice.length > 5, `${code} is documented`)
})

test('a broken invariant is an AssertionFailure, not a coded error', () => {
  assert.throws(
    () => check(false, 'must hold'),
    (error: unknown) => error instanceof AssertionFailure && !(error instanceof BlazeError),
  )
})

test.run()
