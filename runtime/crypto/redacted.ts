/**
 * Secrets that do not show what they are when something prints them: a log, an error, a console, JSON.
 * Invariant: the bytes work as before; only their text is gone. A copy of them is not marked.
 */

const TEXT = '[redacted]'
const hidden: PropertyDescriptor = { value: () => TEXT, enumerable: false }
/** What `util.inspect`, and with it `console.log`, asks for. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom')

/** The same object, which prints `[redacted]` as a whole. */
export function redacted<Secret extends object>(secret: Secret): Secret {
  return Object.defineProperties(secret, {
    [INSPECT]: hidden,
    toJSON: hidden,
    toString: hidden,
    toLocaleString: hidden,
    join: hidden,
  })
}
