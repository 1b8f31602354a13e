/** Which tag write `n` of the kill specs goes to. Invariant: the same in the process that writes and in the one that checks. */

/** Every third write overwrites the one before it. */
export function tagOfWrite(n: number): Uint8Array {
  const tag = new Uint8Array(16)
  new DataView(tag.buffer).setUint32(0, n % 3 === 0 ? n - 1 : n)
  return tag
}
