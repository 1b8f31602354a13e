/**
 * A transcript of the tap, frozen in specs/vectors/tap.json: PROTOCOL §13 lists what stands in it and nothing else. `REWRITE=1`
 * writes the file anew; the difference is then read by a person, because every change of it is a change of the protocol.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { setup } from 'xstate'
import type { CellInfo, TapEvent } from '../../runtime/index.ts'
import { BlazeError, machine } from '../../runtime/index.ts'
import { createWorld, puppet } from './world.ts'

interface Transcript {
  readonly events: readonly TapEvent[]
  readonly tree: readonly CellInfo[]
}

const path = fileURLToPath(new URL('../vectors/tap.json', import.meta.url))
const protocol = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8')

const lamp = setup({
  types: { events: {} as { type: 'switch' } | { type: 'dim' } | { type: 'burn' } },
  actions: { burn() {} },
}).createMachine({
  id: 'lamp',
  initial: 'off',
  states: {
    off: { on: { switch: 'on' } },
    on: {
      initial: 'bright',
      states: { bright: { on: { dim: 'dimmed' } }, dimmed: { on: { burn: { actions: 'burn' } } } },
    },
  },
})

function burn(): never {
  throw new Error('burnt')
}

/** A life of everything that the tap has an event for. */
async function record(): Promise<Transcript> {
  const { simulation, system } = createWorld()
  const events: TapEvent[] = []
  system.tap.subscribe((event) => events.push(event), { messages: true })
  const room = system.spawn({ name: 'room', behaviour: puppet() })
  const light = system.spawn({
    name: 'light',
    behaviour: machine({ kind: 'lamp', definition: lamp, actions: { burn } }),
  })
  room.tell((ctx) => void ctx.spawn({ name: 'table', behaviour: puppet(), mailboxMax: 4 }))
  light.tell({ type: 'switch' })
  light.tell({ type: 'dim' })
  light.tell({ type: 'burn' })
  await simulation.pass(1)
  room.tell((ctx) => {
    ctx.emit('room.warm', { degrees: 21, guests: ['secret'] })
    throw new BlazeError('OVERLOADED', 'too warm')
  })
  for (let i = 0; i < 4; i++) room.tell(() => {})
  await simulation.pass(200)
  room.tell((ctx) => {
    const table = ctx.spawn({ name: 'table', behaviour: puppet(), mailboxMax: 4 })
    for (let i = 0; i < 4; i++) table.tell(() => {})
    ctx.after(1, (later) => later.passivate())
  })
  await simulation.pass(10)
  room.tell((ctx) => void ctx.spawn({ name: 'table', behaviour: puppet() }))
  await simulation.pass(1)
  const tree = system.tree()
  void light.kill()
  void room.stop()
  await simulation.pass(1)
  return { events, tree }
}

if (process.env['REWRITE'] === '1') writeFileSync(path, `${JSON.stringify(await record(), null, 2)}\n`)
if (!existsSync(path)) throw new Error('specs/vectors/tap.json is missing; REWRITE=1 makes it')
const frozen = JSON.parse(readFileSync(path, 'utf8')) as Transcript

test('a system shows itself as the frozen transcript has it', async () => {
  assert.equal(JSON.parse(JSON.stringify(await record())), frozen)
})

test('the transcript has every event that the protocol lists, with the fields that it lists, and no other', () => {
  const listed = tableOf('### 13.1 Events')
  const seen = new Map<string, Set<string>>()
  for (const { type, details } of frozen.events) {
    const fields = seen.get(type) ?? new Set()
    for (const name of Object.keys(details)) fields.add(name)
    seen.set(type, fields)
  }
  for (const event of frozen.events)
    assert.equal(Object.keys(event), ['v', 'type', 'at', 'path', 'id', 'details'])

  assert.equal([...listed.keys()].toSorted(), [...seen.keys()].toSorted())
  for (const [type, text] of listed) {
    const fields = seen.get(type) ?? new Set()
    const names = namesIn(text)
    for (const name of names) assert.ok(fields.has(name), `${type} has no ${name}`)
    if (type === 'event') continue
    for (const name of fields) assert.ok(names.includes(name), `${type}: ${name} is not in the protocol`)
    for (const { details } of frozen.events.filter((event) => event.type === type))
      for (const name of names)
        assert.ok(name in details || text.includes(`\`${name}\`?`), `${name} of ${type} is missing once`)
  }
})

test('the tree has the fields that the protocol lists, and no other', () => {
  const listed = [...tableOf('### 13.3 Tree').keys()].concat('path')
  const seen = new Set(frozen.tree.flatMap((info) => Object.keys(info)))

  assert.equal([...seen].toSorted(), listed.toSorted())
})

test('a definition comes before the cell that names it, a start before all else of its cell, children end before their parent', () => {
  const { events } = frozen
  const first = (check: (event: TapEvent) => boolean): number => events.findIndex(check)
  const last = (path: string): TapEvent | undefined => events.findLast((event) => event.path === path)
  const started = first((event) => event.path === '/light')
  const hash = events[started]?.details['definition']

  assert.type(hash, 'string')
  assert.ok(first((event) => event.details['hash'] === hash) < started)
  for (const path of ['/room', '/light', '/room/table']) {
    assert.is(events.find((event) => event.path === path)?.type, 'cell.started')
    assert.is(last(path)?.type, 'cell.stopped')
  }
  const child = first((event) => event.path === '/room/table' && event.type === 'cell.stopped')
  assert.ok(child < first((event) => event.path === '/room' && event.type === 'cell.restarted'))
})

/** The first table under a heading: what stands in backticks in the first column → the second column. */
function tableOf(heading: string): Map<string, string> {
  const [, section = ''] = protocol.split(`\n${heading}\n`)
  const [body = ''] = section.split('\n### ')
  const rows = body.split('\n').filter((line) => line.startsWith('| `'))
  return new Map(
    rows.map((row) => {
      const [, name = '', fields = ''] = row.split('|')
      return [namesIn(name)[0] ?? '', fields]
    }),
  )
}

function namesIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
}

test.run()
