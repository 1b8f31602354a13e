/** The layering of the four folders is enforced: a forbidden import is refused by the linter or by tidy. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Lints a tree of its own with the configuration of this repository; returns `path: rule` for each finding. */
function lint(files: Record<string, string>): string[] {
  const at = mkdtempSync(join(tmpdir(), 'blazedb-layering-'))
  try {
    for (const name of ['.oxlintrc.json', 'tsconfig.json']) copyFileSync(join(root, name), join(at, name))
    symlinkSync(join(root, 'node_modules'), join(at, 'node_modules'))
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(at, name)), { recursive: true })
      writeFileSync(join(at, name), text)
    }
    const bin = join(root, 'node_modules', '.bin', 'oxlint')
    const { stdout, stderr } = spawnSync(bin, ['--format', 'json'], {
      cwd: at,
      encoding: 'utf8',
      timeout: 60_000,
    })
    assert.ok(stdout.startsWith('{'), `oxlint gave no report: ${stdout}${stderr}`)
    const report = JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] }
    return report.diagnostics
      .map(({ filename, code }) => `${filename}: ${code.replace(/^.*\((.*)\)$/, '$1')}`)
      .sort()
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

const importing = (...from: string[]): string =>
  from.map((name, index) => `export { a as a${index} } from '${name}'\n`).join('')

test('each layer is refused an import from above', () => {
  const found = lint({
    'runtime/a.ts': importing('../transports/index.ts'),
    'runtime/crypto/a.ts': importing('../../actors/index.ts'),
    'transports/a.ts': importing('../actors/index.ts'),
    'actors/replica/a.ts': importing('../../server/main.ts'),
    'server/a.ts': importing('../scripts/spec.ts'),
  })

  assert.equal(found, [
    'actors/replica/a.ts: no-restricted-imports',
    'runtime/a.ts: no-restricted-imports',
    'runtime/crypto/a.ts: no-restricted-imports',
    'server/a.ts: no-restricted-imports',
    'transports/a.ts: no-restricted-imports',
  ])
})

test('each layer is refused an import that goes round a door', () => {
  const found = lint({
    'transports/a.ts': importing('../runtime/cell/mailbox.ts'),
    'transports/tls/a.ts': importing('../../runtime/crypto/index.ts'),
    'actors/a.ts': importing('../runtime/limits.ts', '../transports/frame.ts'),
    'actors/replica/a.ts': importing('../../runtime/errors.ts'),
    'server/a.ts': importing('../actors/database/index.ts'),
  })

  assert.equal(found, [
    'actors/a.ts: no-restricted-imports',
    'actors/a.ts: no-restricted-imports',
    'actors/replica/a.ts: no-restricted-imports',
    'server/a.ts: no-restricted-imports',
    'transports/a.ts: no-restricted-imports',
    'transports/tls/a.ts: no-restricted-imports',
  ])
})

test('imports downwards through doors, and imports within a layer, are accepted', () => {
  const found = lint({
    'runtime/crypto/a.ts': importing('../errors.ts'),
    'transports/tls/a.ts': importing('../../runtime/index.ts', '../frame.ts'),
    'actors/replica/a.ts': importing('../../runtime/index.ts', '../../transports/index.ts', './envelope.ts'),
    'server/access/a.ts': importing('../../actors/index.ts', '../../runtime/index.ts', '../config.ts'),
    'specs/actors/a.ts': importing('../../actors/replica/a.ts', '../../runtime/cell/mailbox.ts'),
  })

  assert.equal(found, [])
})

test('a dynamic import is held to the same layering', () => {
  const found = lint({
    'runtime/a.ts': `export const later = (): Promise<unknown> => import('../actors/index.ts')\n`,
  })

  assert.equal(found, ['runtime/a.ts: no-restricted-imports'])
})

test('a cycle of imports is refused', () => {
  const found = lint({
    'runtime/a.ts': `import { b } from './b.ts'\nexport const a = (): number => b()\n`,
    'runtime/b.ts': `import { a } from './a.ts'\nexport const b = (): number => a()\n`,
  })

  assert.equal(found, ['runtime/a.ts: no-cycle', 'runtime/b.ts: no-cycle'])
})

test('time and chance are refused outside runtime/env.ts and runtime/simulation.ts', () => {
  const text = `export const x: unknown = [Date.now(), Math.random(), setTimeout, performance.now()]\n`

  const found = lint({ 'actors/a.ts': text, 'runtime/env.ts': text, 'runtime/simulation.ts': text })

  assert.equal(found, [
    'actors/a.ts: no-restricted-globals',
    'actors/a.ts: no-restricted-globals',
    'actors/a.ts: no-restricted-properties',
    'actors/a.ts: no-restricted-properties',
  ])
})

test('any, default exports, non-null assertions and long files are refused', () => {
  const found = lint({
    'actors/a.ts': `export const a = (x: any): unknown => x\n`,
    'actors/b.ts': `export default 1\n`,
    'actors/c.ts': `export const c = (x: string | undefined): string => x!\n`,
    'actors/d.ts': 'export {}\n' + '// line\n'.repeat(400),
  })

  assert.equal(found, [
    'actors/a.ts: no-explicit-any',
    'actors/b.ts: no-default-export',
    'actors/c.ts: no-non-null-assertion',
    'actors/d.ts: max-lines',
  ])
})

test('a promise that nobody waits for is refused', () => {
  const found = lint({
    'actors/a.ts': `async function work(): Promise<void> {}\nexport function start(): void {\n  work()\n}\n`,
  })

  assert.equal(found, ['actors/a.ts: no-floating-promises'])
})

test.run()
