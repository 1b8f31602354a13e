/** What opens a database, as applications give it. Invariant: exactly one of the two kinds; a key is copied. */
import { isPlainObject, redacted } from '../../runtime/index.ts'
import type { Secret } from '../database/index.ts'

const KEY_BYTES = 32

/** `TypeError` unless exactly one of them is given, and is one; `where` begins the message. */
export function checkSecret(password: unknown, key: unknown, where = ''): Secret {
  if ((password === undefined) === (key === undefined)) {
    throw new TypeError(`${where}password, key: expected exactly one of them`)
  }
  if (key !== undefined) {
    if (!(key instanceof Uint8Array) || key.length !== KEY_BYTES) {
      throw new TypeError(`${where}key: expected ${KEY_BYTES} bytes`)
    }
    return redacted({ key: new Uint8Array(key) })
  }
  if (typeof password !== 'string' || password.length === 0) {
    throw new TypeError(`${where}password: expected text that is not empty`)
  }
  return redacted({ password })
}

/** The same of one option: `{ password }` or `{ key }`, or a password as text. */
export function secretOf(option: unknown, name: string): Secret {
  if (typeof option === 'string') return checkSecret(option, undefined, `${name}.`)
  if (!isPlainObject(option)) throw new TypeError(`${name}: expected { password } or { key }`)
  return checkSecret(option['password'], option['key'], `${name}.`)
}
