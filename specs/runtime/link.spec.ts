/** Promises of links: two lives that share their fate when one of them crashes or is killed, and nothing else. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ChildSpec, Context, Ref } from '../../runtime/index.ts'
import { BlazeError, reducer, supervisor } from '../../runtime/index.ts'
import type { Script, World } from './world.ts'
import { createWorld, infoOf, puppet } from './world.ts'

interface Pair extends World {
  readonly left: Ref<Script>
  readonly right: Ref<Script>
  /** Names of the cells whose present life ended by a crash, in that order. */
  readonly crashes: string[]
}

function createPair(): Pair {
  const world = createWorld()
  const crashes: string[] = []
  world.system.tap.subscribe((event) => {
    if (event.type === 'cell.crashed') crashes.push(event.path)
  })
  const left = world.system.spawn({ name: 'left', behaviour: puppet() })
  const right = world.system.spawn({ name: 'right', behaviour: puppet() })
  return { ...world, left, right, crashes }
}

test('a crash of one end crashes the other, whichever of them made the link', async () => {
  for (const first of ['left', 'right'] as const) {
    const { left, right, settle, simulation, crashes, system } = createPair()
    left.tell((ctx) => ctx.link(right))
    await settle()

    const [crashed, other] = first === 'left' ? [left, right] : [right, left]
    crashed.tell(boom)
    await settle()

    assert.equal(crashes, [crashed.path, other.path])
    assert.match(infoOf(system, other)?.lastError ?? '', `LINKED_CELL_DOWN: ${crashed.path}`)
    await simulation.pass(200)
    assert.equal([infoOf(system, left)?.restarts, infoOf(system, right)?.restarts], [1, 1])
  }
})

test('the error of a linked crash carries the first error as its cause', async () => {
  const { left, right, system, settle } = createPair()
  const errors: unknown[] = []
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  watcher.tell((ctx) => ctx.watch(right, (reason) => () => errors.push(reason.error)))
  left.tell((ctx) => ctx.link(right))
  await settle()

  left.tell(boom)
  await settle()

  const [error] = errors
  assert.instance(error, BlazeError)
  assert.is(error instanceof BlazeError ? error.code : '', 'LINKED_CELL_DOWN')
  assert.is(
    error instanceof Error && error.cause instanceof Error ? error.cause.message : '',
    'told to crash',
  )
})

test('a kill of one end crashes the other', async () => {
  const { left, right, system, settle, crashes } = createPair()
  left.tell((ctx) => ctx.link(right))
  await settle()

  void right.kill()
  await settle()

  assert.equal(crashes, ['/left'])
  assert.match(infoOf(system, left)?.lastError ?? '', 'LINKED_CELL_DOWN')
})

const orderly: Readonly<Record<string, (cell: Ref<Script>) => void>> = {
  'a stop from outside': (cell) => void cell.stop(),
  'a stop by itself': (cell) => void cell.tell((ctx) => ctx.stopSelf()),
  'a passivation': (cell) => void cell.tell((ctx) => ctx.passivate()),
}

for (const [end, endIt] of Object.entries(orderly)) {
  test(`${end} ends the link and crashes nobody`, async () => {
    const { left, right, settle, simulation, crashes } = createPair()
    left.tell((ctx) => ctx.link(right))
    await settle()

    endIt(right)
    await simulation.pass(200)
    right.tell(boom)
    await simulation.pass(200)
    left.tell(() => {})
    await settle()

    assert.not(crashes.includes('/left'), crashes.join(' '))
  })
}

test('a stop that overran its budget ends the link and crashes nobody', async () => {
  const { left, system, simulation, settle, crashes } = createPair()
  const reasons: string[] = []
  const hanging = system.spawn({
    name: 'hanging',
    stopBudgetMs: 50,
    behaviour: reducer<null, Script>({
      kind: 'hanging',
      init: () => null,
      receive: (state) => state,
      stop: () => new Promise(() => {}),
    }),
  })
  left.tell((ctx) => {
    ctx.link(hanging)
    ctx.watch(hanging, (reason) => () => reasons.push(reason.kind))
  })
  await settle()

  void hanging.stop()
  await simulation.pass(200)

  assert.equal([reasons, crashes], [['killed'], []])
})

test('a restart of its group ends a link and crashes nobody outside the group', async () => {
  const { left, system, simulation, settle, crashes } = createPair()
  const members = new Map<string, Ref<Script>>()
  const member = (name: string): ChildSpec<never> => ({
    name,
    behaviour: puppet((ctx) => void members.set(name, ctx.self)),
  })
  const children = [member('a'), member('b')]
  system.spawn({ name: 'top', behaviour: supervisor({ kind: 'top', strategy: 'one_for_all', children }) })
  await settle()
  const [a, b] = [members.get('a'), members.get('b')]
  assert.ok(a !== undefined && b !== undefined)
  left.tell((ctx) => ctx.link(b))
  await settle()

  a.tell(boom)
  await simulation.pass(300)

  assert.is(infoOf(system, b)?.restarts, 1, 'the group was restarted')
  assert.equal(crashes, ['/top/a'])
})

test('a link belongs to the lives that made it: the lives after them are not tied', async () => {
  const { left, right, settle, simulation, crashes } = createPair()
  left.tell((ctx) => ctx.link(right))
  await settle()
  left.tell(boom)
  await simulation.pass(300)

  left.tell(boom)
  await simulation.pass(300)

  assert.equal(crashes, ['/left', '/right', '/left'])
})

test('an unlinked cell survives, whichever end undid the link, and linking twice needs one unlink', async () => {
  for (const undoing of ['left', 'right'] as const) {
    const pair = createPair()
    const { left, right, settle, crashes } = pair
    left.tell((ctx) => ctx.link(right))
    right.tell((ctx) => ctx.link(left))
    left.tell((ctx) => ctx.link(right))
    await settle()

    pair[undoing].tell((ctx) => ctx.unlink(undoing === 'left' ? right : left))
    await settle()
    right.tell(boom)
    await settle()

    assert.equal(crashes, ['/right'])
  }
})

test('a crash travels along a chain of links, and a ring of them crashes each cell once', async () => {
  const { system, simulation, settle } = createWorld()
  const crashes: string[] = []
  system.tap.subscribe((event) => {
    if (event.type === 'cell.crashed') crashes.push(event.path)
  })
  const cells = Array.from({ length: 50 }, (_, i) => system.spawn({ name: `${i}`, behaviour: puppet() }))
  for (const [i, cell] of cells.entries()) {
    const next = cells[(i + 1) % cells.length]
    if (next !== undefined) cell.tell((ctx) => ctx.link(next))
  }
  await settle()

  cells[7]?.tell(boom)
  await simulation.pass(1000)

  assert.is(crashes.length, 50)
  assert.is(new Set(crashes).size, 50)
})

test('a link to a cell that is dead, or waits for its restart, crashes the caller where it stands', async () => {
  for (const state of ['dead', 'restarting'] as const) {
    const { left, right, system, settle } = createPair()
    if (state === 'dead') void right.stop()
    else right.tell(boom)
    await settle()
    let went = false

    left.tell((ctx) => {
      ctx.link(right)
      went = true
    })
    await settle()

    assert.is(went, false, state)
    assert.match(infoOf(system, left)?.lastError ?? '', 'LINKED_CELL_DOWN: /right', state)
  }
})

test('a link from outside a handler to a dead cell crashes its cell at the next turn', async () => {
  const { left, right, system, settle } = createPair()
  let kept: Context<Script> | undefined
  left.tell((ctx) => void (kept = ctx))
  void right.stop()
  await settle()

  kept?.link(right)
  assert.is(infoOf(system, left)?.state, 'running')
  await settle()

  assert.match(infoOf(system, left)?.lastError ?? '', 'LINKED_CELL_DOWN')
})

test('a link to oneself does nothing', async () => {
  const { left, settle, crashes } = createPair()
  left.tell((ctx) => ctx.link(ctx.self))
  await settle()
  assert.equal(crashes, [])

  left.tell(boom)
  await settle()

  assert.equal(crashes, ['/left'])
})

test('a parent that links its child goes down with it; one that watches it survives', async () => {
  const { system, settle } = createWorld()
  const reasons: string[] = []
  const linked = system.spawn({ name: 'linked', behaviour: puppet() })
  const watching = system.spawn({ name: 'watching', behaviour: puppet() })
  const child: ChildSpec<Script> = { name: 'child', behaviour: puppet() }
  linked.tell((ctx) => {
    const ref = ctx.spawn(child)
    ctx.link(ref)
    ref.tell(boom)
  })
  watching.tell((ctx) => {
    const ref = ctx.spawn(child)
    ctx.watch(ref, (reason) => () => reasons.push(reason.kind))
    ref.tell(boom)
  })
  await settle()

  assert.is(infoOf(system, linked)?.state, 'restarting')
  assert.is(infoOf(system, watching)?.state, 'running')
  assert.equal(reasons, ['crashed'])
})

test('a linked cell that is about to end for good ends as it was told to', async () => {
  const { left, right, system, settle, simulation } = createPair()
  left.tell((ctx) => ctx.link(right))
  await settle()

  right.tell(boom)
  right.tell(() => {})
  const stopped = left.stop()
  await settle()
  await stopped
  await simulation.pass(500)

  assert.equal([left.alive, infoOf(system, left)], [false, undefined])
})

test('a crash in its start reaches the cells that this start had linked', async () => {
  const { left, system, settle, crashes } = createPair()
  system.spawn({
    name: 'fragile',
    restart: 'temporary',
    behaviour: reducer<null, string>({
      kind: 'fragile',
      init(ctx) {
        ctx.link(left)
        throw new Error('told to crash')
      },
      receive: (state) => state,
    }),
  })
  await settle()

  assert.equal(crashes, ['/fragile', '/left'])
})

test('something that is no cell cannot be linked', async () => {
  const { left, system, settle } = createPair()
  const impostor = { ...left } as Ref<never>

  left.tell((ctx) => ctx.link(impostor))
  await settle()

  assert.match(infoOf(system, left)?.lastError ?? '', 'TypeError: link: ref: expected the ref of a cell')
})

function boom(): void {
  throw new Error('told to crash')
}

test.run()
