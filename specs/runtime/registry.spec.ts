/** Promises of the registry: a name leads to one cell, for as long as that cell lives, however often it restarts. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Ref, RegistryKey } from '../../runtime/index.ts'
import { limits, reducer, registryKey } from '../../runtime/index.ts'
import type { Script } from './world.ts'
import { createWorld, infoOf, puppet, recorder } from './world.ts'

const counter: RegistryKey<string> = registryKey<string>('counter')
const stage: RegistryKey<Script> = registryKey<Script>('stage')

test('a registered cell is found by its name and takes messages through it', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })
  assert.is(system.registry.lookup(counter), undefined)

  system.registry.register(counter, cell)
  system.registry.lookup(counter)?.tell('through the name')
  await settle()

  assert.equal(heard, ['through the name'])
  assert.equal(system.registry.names(), ['counter'])
})

test('two keys of one name are the same name', () => {
  const { system } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })

  system.registry.register(counter, cell)

  assert.is(system.registry.lookup(registryKey<string>('counter')), cell)
})

test('a name that another living cell has is NAME_TAKEN, and stays with it', () => {
  const { system } = createWorld()
  const first = system.spawn({ name: 'a', behaviour: recorder([]) })
  const second = system.spawn({ name: 'b', behaviour: recorder([]) })
  system.registry.register(counter, first)

  assert.throws(() => system.registry.register(counter, second), hasCode('NAME_TAKEN'))
  assert.throws(() => system.registry.register(counter, second), /counter belongs to \/a/)

  assert.is(system.registry.lookup(counter), first)
})

test('registering the same cell again under its name changes nothing', () => {
  const { system } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })

  system.registry.register(counter, cell)
  system.registry.register(counter, cell)

  assert.equal(system.registry.names(), ['counter'])
  assert.is(system.registry.unregister(counter, cell), true)
  assert.is(system.registry.lookup(counter), undefined)
})

test('one cell may have several names, and unregister takes only a name that is its own', () => {
  const { system } = createWorld()
  const first = system.spawn({ name: 'a', behaviour: recorder([]) })
  const second = system.spawn({ name: 'b', behaviour: recorder([]) })
  const other = registryKey<string>('other')
  system.registry.register(counter, first)
  system.registry.register(other, first)

  assert.is(system.registry.unregister(counter, second), false)
  assert.is(system.registry.unregister(counter, first), true)
  assert.is(system.registry.unregister(counter, first), false)

  assert.equal(system.registry.names(), ['other'])
})

test('a cell registers itself and finds others through its context', async () => {
  const { system, settle } = createWorld()
  const found: (Ref<Script> | undefined)[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet((ctx) => ctx.register(stage)) })
  const seeker = system.spawn({ name: 'b', behaviour: puppet() })

  seeker.tell((ctx) => found.push(ctx.lookup(stage)))
  await settle()

  assert.equal(found, [cell])
})

test('a name belongs to the cell and not to its life: it is kept through a crash, the wait and the restart', async () => {
  const { system, simulation, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => ctx.register(stage))
  await settle()

  cell.tell(boom)
  await settle()
  assert.is(infoOf(system, cell)?.state, 'restarting')
  assert.is(system.registry.lookup(stage), cell)
  await simulation.pass(200)

  assert.is(infoOf(system, cell)?.restarts, 1)
  assert.is(system.registry.lookup(stage), cell)
})

test('a cell that registers itself in every start may be restarted', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet((ctx) => ctx.register(stage)) })

  cell.tell(boom)
  await simulation.pass(200)

  assert.equal([infoOf(system, cell)?.restarts, infoOf(system, cell)?.state], [1, 'running'])
})

const deaths: Readonly<Record<string, (cell: Ref<Script>) => void>> = {
  'a stop from outside': (cell) => void cell.stop(),
  'a stop by itself': (cell) => void cell.tell((ctx) => ctx.stopSelf()),
  'a kill': (cell) => void cell.kill(),
  'a crash without restart': (cell) => void cell.tell(boom),
}

for (const [death, die] of Object.entries(deaths)) {
  test(`all names of a cell are free after ${death}`, async () => {
    const { system, settle } = createWorld()
    const cell = system.spawn({ name: 'a', restart: 'temporary', behaviour: puppet() })
    system.registry.register(stage, cell)
    system.registry.register(registryKey<Script>('second'), cell)

    die(cell)
    await settle()

    assert.equal(system.registry.names(), [])
    const next = system.spawn({ name: 'b', behaviour: puppet((ctx) => ctx.register(stage)) })
    assert.is(system.registry.lookup(stage), next)
  })
}

test('a name is freed when its cell is down, not while it still closes what it owns', async () => {
  const { system, simulation } = createWorld()
  let release: () => void = () => {}
  const closing = (): Promise<void> => new Promise((resolve) => void (release = resolve))
  const cell = system.spawn({ name: 'a', behaviour: puppet((ctx) => void ctx.own(closing)) })
  const next = system.spawn({ name: 'b', behaviour: puppet() })
  system.registry.register(stage, cell)

  void cell.stop()
  await simulation.pass(1)
  assert.throws(() => system.registry.register(stage, next), hasCode('NAME_TAKEN'))
  release()
  await simulation.pass(1)

  system.registry.register(stage, next)
  assert.is(system.registry.lookup(stage), next)
})

test('a cell that its supervisor gave up has no names any more, though it stays in the tree', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet((ctx) => void ctx.after(1, boom)) })
  system.registry.register(stage, cell)

  await simulation.pass(120_000)

  assert.is(infoOf(system, cell)?.state, 'stopped')
  assert.equal(system.registry.names(), [])
})

test('a dead cell takes no name: CELL_DOWN', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  void cell.stop()
  await settle()

  assert.throws(() => system.registry.register(stage, cell), hasCode('CELL_DOWN'))
})

test('a handler that registers a name that is taken crashes with NAME_TAKEN', async () => {
  const { system, settle } = createWorld()
  system.spawn({ name: 'a', behaviour: puppet((ctx) => ctx.register(stage)) })
  const late = system.spawn({ name: 'b', behaviour: puppet() })

  late.tell((ctx) => ctx.register(stage))
  await settle()

  assert.match(infoOf(system, late)?.lastError ?? '', 'NAME_TAKEN')
})

test('a context of a life that is over registers nothing', async () => {
  const { system, settle } = createWorld()
  let register: () => void = () => {}
  const cell = system.spawn({
    name: 'a',
    behaviour: reducer<null, string>({
      kind: 'kept',
      init(ctx) {
        register = () => ctx.register(counter)
        return null
      },
      receive: (state) => state,
    }),
  })
  void cell.stop()
  await settle()

  register()

  assert.equal(system.registry.names(), [])
})

test('names are counted: one more than the bound is OVERLOADED, and a freed one makes room', () => {
  const { system } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })
  const key = (i: number): RegistryKey<string> => registryKey<string>(`name ${i}`)
  for (let i = 0; i < limits.registryNamesMax; i++) system.registry.register(key(i), cell)

  assert.throws(() => system.registry.register(counter, cell), hasCode('OVERLOADED'))
  system.registry.unregister(key(0), cell)
  system.registry.register(counter, cell)

  assert.is(system.registry.lookup(counter), cell)
})

test('a name of the wrong type or length is a TypeError', () => {
  for (const name of ['', 'x'.repeat(limits.cellNameCharsMax + 1), 7, undefined])
    assert.throws(() => registryKey(name as string), TypeError)

  registryKey('x'.repeat(limits.cellNameCharsMax))
})

test('what is no cell, or a cell of another system, takes no name: a TypeError', () => {
  const { system } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })
  const stranger = createWorld().system.spawn({ name: 'a', behaviour: recorder([]) })

  for (const ref of [stranger, { ...cell } as Ref<string>])
    assert.throws(() => system.registry.register(counter, ref), TypeError)

  assert.equal(system.registry.names(), [])
})

test('two systems of one process share no names', () => {
  const [one, other] = [createWorld(), createWorld()]
  one.system.registry.register(counter, one.system.spawn({ name: 'a', behaviour: recorder([]) }))

  assert.is(other.system.registry.lookup(counter), undefined)
})

function hasCode(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && 'code' in error && error.code === code
}

function boom(): void {
  throw new Error('told to crash')
}

test.run()
