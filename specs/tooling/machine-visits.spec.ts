/** The records of what specs visit in machines: what counts as a visit, and what is said of a place that has none. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lamp } from '../fixtures/visit-lamp.ts'
import { fingerprintOf, missingOf, placesOf, readVisits } from '../fixtures/visit-record.ts'
import type { Visits } from '../fixtures/visit-record.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Imports for a program of its own process. */
const imports = `import { createActor, initialTransition, transition } from 'xstate'
import { lamp } from '${pathToFileURL(join(root, 'specs', 'fixtures', 'visit-lamp.ts')).href}'
`

/** Runs a program with the recorder loaded before it, and reads what it left. */
function recordOf(program: string): Visits {
  const at = mkdtempSync(join(tmpdir(), 'blazedb-visits-spec-'))
  const visits = join(at, 'visits')
  try {
    symlinkSync(join(root, 'node_modules'), join(at, 'node_modules'))
    writeFileSync(join(at, 'program.mjs'), imports + program)
    mkdirSync(visits)
    const recorder = pathToFileURL(join(root, 'specs', 'fixtures', 'visit-recorder.ts')).href
    const args = ['--import', import.meta.resolve('tsx'), '--import', recorder, join(at, 'program.mjs')]
    const { status, stderr } = spawnSync(process.execPath, args, {
      env: { ...process.env, BLAZEDB_SPEC_VISITS: visits },
      encoding: 'utf8',
      timeout: 30_000,
    })
    assert.is(status, 0, stderr)
    return readVisits(visits)
  } finally {
    rmSync(at, { recursive: true, force: true })
  }
}

function visitedOf(visits: Visits): string[] {
  return placesOf(lamp).filter((place) => visits.get(fingerprintOf(lamp))?.has(place))
}

test('places are all states, the branches of each event, delayed, eventless and inert transitions', () => {
  assert.equal(placesOf(lamp), [
    'state lamp',
    'lamp on smash',
    'state lamp.off',
    'lamp.off on press',
    'lamp.off on press #1',
    'state lamp.dim',
    'lamp.dim on always',
    'state lamp.on',
    'lamp.on on press',
    'state lamp.on.warm',
    'lamp.on.warm on xstate.after.5.lamp.on.warm',
    'state lamp.on.hot',
    'state lamp.broken',
    'state lamp.lost',
    'lamp.lost on found',
  ])
})

test('what no spec visits is named, and so is what no path leads to', () => {
  const reached = placesOf(lamp).filter((place) => !/smash|broken|lost/.test(place))

  assert.equal(missingOf(lamp, new Map([[fingerprintOf(lamp), new Set(reached)]])), [
    'lamp on smash: no spec visits it',
    'state lamp.broken: no spec visits it',
    'state lamp.lost: no path leads there',
    'lamp.lost on found: no path leads there',
  ])
  assert.is(missingOf(lamp, new Map()).length, placesOf(lamp).length)
})

test('an actor leaves the states and the branches that it took, those passed through in one step included', () => {
  const visits = recordOf(`const actor = createActor(lamp.provide({})).start()
actor.send({ type: 'nothing' })
actor.send({ type: 'press' })
actor.send({ type: 'press' })
actor.stop()
`)

  assert.equal(visitedOf(visits), [
    'state lamp',
    'state lamp.off',
    'lamp.off on press #1',
    'state lamp.dim',
    'lamp.dim on always',
    'state lamp.on',
    'lamp.on on press',
    'state lamp.on.warm',
  ])
})

test('the pure functions of XState leave their visits too', () => {
  const visits = recordOf(`transition(lamp, initialTransition(lamp)[0], { type: 'press', hard: true })
`)

  assert.ok(visitedOf(visits).includes('lamp.off on press'))
  assert.not.ok(visitedOf(visits).includes('lamp.off on press #1'))
})

test('a definition that is only made, or looked at, is not visited', () => {
  const visits = recordOf(`lamp.root.transitions.get('smash')
`)

  assert.is(visits.size, 0)
})

test('a process that exits in the middle leaves what it visited so far', () => {
  const visits = recordOf(`createActor(lamp).start()
process.exit(0)
`)

  assert.equal(visitedOf(visits), ['state lamp', 'state lamp.off'])
})

test('a machine cell leaves the visits of its cell', () => {
  const door = pathToFileURL(join(root, 'runtime', 'index.ts')).href
  const visits = recordOf(`import { createSimulation, createSystem, machine } from '${door}'
const simulation = createSimulation(1)
const system = createSystem({ env: simulation.env('node') })
const cell = system.spawn({ name: 'lamp', behaviour: machine({ kind: 'lamp', definition: lamp }) })
cell.tell({ type: 'press' })
await simulation.pass(10)
`)

  assert.ok(visitedOf(visits).includes('lamp.on.warm on xstate.after.5.lamp.on.warm'))
})

test.run()
