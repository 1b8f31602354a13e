/** Arbitraries for everything a field may hold, for property specs. */
import fc from 'fast-check'
import type { Value } from '../../../runtime/index.ts'
import { Uuid } from '../../../runtime/index.ts'

const name = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', ''),
)

const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.constantFrom(0, -0, Infinity, -Infinity, Number.NaN, 5e-324, 2 ** 53, -(2 ** 60)),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('\uFEFFmark', `\uFEFF${'x'.repeat(40)}`),
  fc.uint8Array({ maxLength: 300 }),
  fc.integer({ min: -(2 ** 51), max: 2 ** 51 }).map((ms) => new Date(ms)),
  fc.maxSafeInteger().map((ms) => new Date(ms % 2 ** 51)),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => new Uuid(bytes)),
)

export const arbitraryValue: fc.Arbitrary<Value> = fc.letrec<{ value: Value }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 5 }).map(mapOf),
  ),
})).value

/** Own properties of any name. */
function mapOf(entries: readonly (readonly [string, Value])[]): { [name: string]: Value } {
  const out: { [name: string]: Value } = {}
  for (const [key, value] of entries) {
    Object.defineProperty(out, key, { value, configurable: true, enumerable: true, writable: true })
  }
  return out
}
