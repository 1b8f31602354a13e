// last
/**
 * Walks every machine of the project: each of its states and transitions must have been visited by a spec of this run. The visits come
 * from the spec processes themselves (`specs/fixtures/visit-recorder.ts`), so a spec that only looks at a definition visits nothing.
 */
import { readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { AnyStateMachine } from 'xstate'
import { StateMachine } from 'xstate'
import { missingOf, readVisits, visitsVariable } from '../fixtures/visit-record.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')
const directory = process.env[visitsVariable]
const visits = directory === undefined ? undefined : readVisits(directory)

/** The host of machines has the name of a machine, and none inside. */
const host = 'runtime/machine.ts'

function machineFiles(): string[] {
  return ['runtime', 'transports', 'actors', 'server', 'scripts', 'examples']
    .flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(
        (name) => `${folder}/${name}`,
      ),
    )
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => /(^|\/)machine\.ts$/.test(path) && path !== host)
    .sort()
}

async function machinesOf(path: string): Promise<[string, AnyStateMachine][]> {
  const exported: object = await import(pathToFileURL(join(root, path)).href)
  const found: [string, AnyStateMachine][] = []
  for (const [name, value] of Object.entries(exported))
    if (value instanceof StateMachine) found.push([name, value])
  return found
}

for (const path of machineFiles()) {
  const machines = await machinesOf(path)

  test(`${path} exports its machines`, () => {
    assert.is.not(machines.length, 0)
  })

  for (const [name, machine] of machines) {
    test(`specs visit every state and transition of ${name} in ${path}`, () => {
      if (visits === undefined) return
      assert.equal(missingOf(machine, visits), [], `unvisited in ${path}`)
    })
  }
}

test('the visits of all specs are there to be judged', () => {
  if (visits === undefined)
    console.log(
      `SKIPPED: whether specs visit every state and transition of the machines, known after a whole run only: npm test, or
         ${visitsVariable}=DIRECTORY npx tsx scripts/spec.ts PATHS first, then the same with this file`.replaceAll(
        /\s+/g,
        ' ',
      ),
    )
  else assert.is.not(visits.size, 0)
})

test.run()
