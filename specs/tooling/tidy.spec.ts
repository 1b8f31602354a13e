/** The rules of the house refuse what they say, and accept the homes they name. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkFile, checkLockfile } from '../../scripts/tidy.ts'

const header = '/** Something. */\n'
const messages = (path: string, code: string): string[] =>
  checkFile(path, header + code).map((p) => p.message)

test('a foreign library is accepted in its home and refused elsewhere', () => {
  const cases: [library: string, home: string, elsewhere: string][] = [
    ['xstate', 'actors/relay/machine.ts', 'actors/relay/index.ts'],
    ['classic-level', 'actors/replica/disk/level-store.ts', 'actors/replica/replica.ts'],
    ['@noble/curves/nist.js', 'runtime/crypto/noble.ts', 'transports/noise.ts'],
    ['node:crypto', 'runtime/crypto/native.ts', 'actors/team/invite.ts'],
    ['cborg', 'specs/runtime/codec/reference-cbor.ts', 'runtime/codec/cbor.ts'],
    ['node:net', 'transports/tls.ts', 'server/control.ts'],
    ['node:tls', 'transports/tls.ts', 'actors/connection/index.ts'],
    ['fastify', 'server/operation/index.ts', 'actors/client/index.ts'],
    ['node:fs', 'actors/database/header.ts', 'runtime/crypto/key.ts'],
  ]

  for (const [library, home, elsewhere] of cases) {
    const code = `import { x } from '${library}'\n`
    assert.equal(messages(home, code), [], `${library} in ${home}`)
    assert.is(messages(elsewhere, code).length, 1, `${library} in ${elsewhere}`)
  }
})

test('every form of import is seen, comments are not', () => {
  const forms = [
    `import {\n  a,\n  b,\n} from 'xstate'\n`,
    `import type { A } from "xstate"\n`,
    `export { a } from 'xstate'\n`,
    `import 'xstate'\n`,
    `const a = await import('xstate')\n`,
  ]

  for (const form of forms) assert.is(messages('actors/a.ts', form).length, 1, form)
  assert.equal(messages('actors/a.ts', `// import { a } from 'xstate'\n/* import 'xstate' */\n`), [])
})

test('a problem names the line of the import', () => {
  const [problem] = checkFile(
    'actors/a.ts',
    `${header}\nimport { x } from 'node:path'\nimport { y } from 'cborg'\n`,
  )

  assert.is(problem?.line, 4)
})

test('only the server reads the process', () => {
  assert.is(messages('actors/a.ts', `export const home = process.env.HOME\n`).length, 1)
  assert.is(messages('transports/a.ts', `process.on('SIGTERM', () => {})\n`).length, 1)
  assert.equal(messages('server/main.ts', `export const home = process.env.HOME\n`), [])
})

test('the date of now comes from Env', () => {
  assert.is(messages('actors/a.ts', `export const x = new Date()\n`).length, 1)
  assert.equal(messages('actors/a.ts', `export const x = new Date(5)\n`), [])
  assert.equal(messages('runtime/env.ts', `export const x = new Date()\n`), [])
})

test('export * is refused', () => {
  assert.is(messages('actors/index.ts', `export * from './a.ts'\n`).length, 1)
  assert.is(messages('actors/index.ts', `export * as a from './a.ts'\n`).length, 1)
})

test('a file begins with a doc comment, after a shebang at most', () => {
  assert.is(checkFile('actors/a.ts', `import { x } from './x.ts'\n`).length, 1)
  assert.equal(checkFile('server/main.ts', `#!/usr/bin/env node\n/** The command. */\n`), [])
})

test('file names are kebab-case nouns that say something', () => {
  assert.is(messages('actors/syncSession.ts', '').length, 1)
  assert.is(messages('actors/sync-utils.ts', '').length, 1)
  assert.is(messages('runtime/types.ts', '').length, 1)
  assert.equal(messages('actors/sync-session.ts', ''), [])
  assert.equal(messages('specs/actors/sync-session.spec.ts', ''), [])
})

test('a lockfile with a download address is refused', () => {
  assert.is(checkLockfile('package-lock.json', `{\n  "resolved": "https://example.org/a.tgz"\n}`).length, 1)
  assert.equal(checkLockfile('package-lock.json', `{\n  "integrity": "sha512-x"\n}`), [])
})

test.run()
