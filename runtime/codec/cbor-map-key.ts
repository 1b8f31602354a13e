/**
 * The order of the keys of a map (RFC 7049 §3.9): shorter UTF-8 first, then by its bytes.
 * Invariant: equal maps give one order, whatever the order of their properties.
 */

/** The names of `map`, none with a lone surrogate, in the order in which they are written. */
export function sortedNames(map: object): string[] {
  const names = Object.keys(map)
  return isSorted(names) ? names : names.sort(compareNames)
}

function isSorted(names: readonly string[]): boolean {
  for (let at = 1; at < names.length; at += 1) {
    if (compareNames(names[at - 1] as string, names[at] as string) > 0) return false
  }
  return true
}

function compareNames(a: string, b: string): number {
  return utf8Bytes(a) - utf8Bytes(b) || compareUtf8(a, b)
}

function utf8Bytes(text: string): number {
  let bytes = text.length
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at)
    // Each half of a surrogate pair makes two of the four bytes.
    if (unit > 0x7f) bytes += unit > 0x7ff && !isSurrogate(unit) ? 2 : 1
  }
  return bytes
}

/** Order of UTF-8 is order of code points: UTF-16 differs from it in surrogates, which stand for more than U+FFFF. */
function compareUtf8(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let at = 0; at < length; at += 1) {
    const unitA = a.charCodeAt(at)
    const unitB = b.charCodeAt(at)
    if (unitA !== unitB) {
      return isSurrogate(unitA) === isSurrogate(unitB) ? unitA - unitB : isSurrogate(unitA) ? 1 : -1
    }
  }
  return a.length - b.length
}

function isSurrogate(unit: number): boolean {
  return (unit & 0xf800) === 0xd800
}
