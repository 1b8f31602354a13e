/** What a run of many specs does once for all its processes: modules keep their names and lines, whoever runs them, and nothing stays. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/index.ts'
import { loaderArgs, loaderVariable } from '../../scripts/typescript/loader.ts'
import { transpile } from '../../scripts/typescript/transpile.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

test('a transpiled tree runs under the names of its files, is there for every user, and goes without a trace', async () => {
  const transpiled = await transpile(root.replace(/\/$/, ''))
  const directory = join(dirname(fileURLToPath(transpiled.loader)), '..', '..')
  const environment = { ...process.env, [loaderVariable]: transpiled.loader }
  const module = JSON.stringify(new URL('../../runtime/limits.ts', import.meta.url).href)
  const childSpec = JSON.stringify(new URL('../../runtime/supervision/child-spec.ts', import.meta.url).href)
  const program = `
    const { limits } = await import(${module})
    const { checkChildSpec } = await import(${childSpec})
    try { checkChildSpec(null) } catch ({ stack }) { console.log(JSON.stringify({ limits, stack })) }`
  const args = [...loaderArgs(environment), '--input-type=module', '-e', program]

  const said: { limits: unknown; stack: string } = JSON.parse(
    execFileSync(process.execPath, args, { cwd: root, env: environment, encoding: 'utf8' }),
  )

  assert.equal(said.limits, limits)
  const [, line = '0'] = /runtime\/supervision\/child-spec\.ts:(\d+)/.exec(said.stack) ?? []
  const lines = readFileSync(join(root, 'runtime/supervision/child-spec.ts'), 'utf8').split('\n')
  const begin = lines.findIndex((text) => text.includes('function checkChildSpec'))
  assert.ok(Number(line) > begin && Number(line) < begin + 15, `${line} is in the function at ${begin}`)
  assert.is(statSync(directory).mode & 0o055, 0o055)
  transpiled.close()
  assert.is(existsSync(directory), false)
})

test('without such a tree the same arguments go through tsx', () => {
  assert.equal(loaderArgs({}), ['--import', import.meta.resolve('tsx')])
})

test.run()
