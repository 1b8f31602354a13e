/**
 * Which bytes count as an Ed25519 public key, decided once for both providers.
 * Invariant: a verdict never depends on the provider. RFC 8032 lets libraries differ on non-canonical and small-order
 * keys; replicas that judged a signature differently would never converge, so both kinds are refused before any library.
 */

const P = 2n ** 255n - 19n

/**
 * The y coordinates of the eight points whose order divides 8 (order 1, 2, 4, 8, 8). Under such a key one signature
 * fits many messages.
 */
const SMALL_ORDER_Y: ReadonlySet<bigint> = new Set([
  1n,
  P - 1n,
  0n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
])

/** True for 32 bytes whose y is canonical (below 2^255 − 19) and of no small-order point. Does not check the curve. */
export function isStrictEd25519Key(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false
  let y = 0n
  for (let index = 31; index >= 0; index -= 1) {
    const byte = publicKey[index] ?? 0
    y = (y << 8n) | BigInt(index === 31 ? byte & 0x7f : byte)
  }
  return y < P && !SMALL_ORDER_Y.has(y)
}
