// time limit: 60 s
/** Processes that make one app group, and one app, at the same time end with the same keys. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { loaderArgs } from '../../../../scripts/typescript/loader.ts'

const PROCESSES = 5
const ROUNDS = 3
const program = fileURLToPath(new URL('./group-child.ts', import.meta.url))

class Racer {
  readonly #process: ChildProcess
  readonly #lines: AsyncIterator<string>

  constructor(directory: string, app: string) {
    const child = spawn(process.execPath, [...loaderArgs(), program, directory, app], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#process = child
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  }

  async line(): Promise<string> {
    const next = await this.#lines.next()
    return next.done === true ? 'ended' : next.value
  }

  go(): void {
    this.#process.stdin?.end('go')
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }
}

for (let round = 1; round <= ROUNDS; round += 1) {
  test(`${PROCESSES} processes that make a group and an app at once have one key each, round ${round}`, async () => {
    const parent = mkdtempSync(join(tmpdir(), 'blazedb-group-race-'))
    const directory = join(parent, 'group')
    // Two of them are another app.
    const apps = Array.from({ length: PROCESSES }, (_, at) => (at < 2 ? 'dashboard' : 'tracker'))
    const racers = apps.map((app) => new Racer(directory, app))
    try {
      assert.equal(new Set(await Promise.all(racers.map((racer) => racer.line()))), new Set(['ready']))

      for (const racer of racers) racer.go()
      const lines = await Promise.all(racers.map((racer) => racer.line()))

      const results = lines.map((line) => JSON.parse(line) as { keys: string[]; found: string })
      assert.equal(
        results.map(({ found }) => found),
        apps,
      )
      assert.is(new Set(results.map(({ keys }) => keys[0])).size, 1, 'one key of the group')
      assert.is(new Set(results.map(({ keys }) => keys.join())).size, 2, 'one identity of each app')
      assert.equal(readdirSync(directory).sort(), ['apps', 'key', 'manifest.json'])
      for (const app of new Set(apps)) {
        assert.equal(readdirSync(join(directory, 'apps', app)).sort(), ['app.json', 'identity'])
      }
    } finally {
      for (const racer of racers) racer.kill()
      rmSync(parent, { recursive: true, force: true })
    }
  })
}

test.run()
