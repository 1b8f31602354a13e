/** Promises of groups: members in the order they joined, told together, and gone when their cell has ended for good. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { GroupKey, Ref } from '../../runtime/index.ts'
import { groupKey, limits } from '../../runtime/index.ts'
import type { Script, World } from './world.ts'
import { createWorld, infoOf, puppet, recorder } from './world.ts'

const crew: GroupKey<Script> = groupKey<Script>('crew')

/** Cells that have joined `crew`, in this order. */
async function createCrew(
  names: readonly string[],
): Promise<World & { readonly cells: readonly Ref<Script>[] }> {
  const world = createWorld()
  const cells = names.map((name) => world.system.spawn({ name, behaviour: puppet() }))
  for (const cell of cells) cell.tell((ctx) => ctx.join(crew))
  await world.settle()
  return { ...world, cells }
}

test('members are listed in the order in which they joined', async () => {
  const { system, cells } = await createCrew(['c', 'a', 'b'])

  assert.equal(pathsOf(system.groups.members(crew)), ['/c', '/a', '/b'])
  assert.is(system.groups.members(groupKey<Script>('crew'))[0], cells[0])
  assert.equal(system.groups.names(), ['crew'])
})

test('joining twice is joining once, and leaving what one is not in does nothing', async () => {
  const { system, cells, settle } = await createCrew(['a', 'b'])
  const other = groupKey<Script>('other')

  for (const cell of cells) cell.tell((ctx) => ctx.leave(other))
  cells[0]?.tell((ctx) => ctx.join(crew))
  await settle()

  assert.equal(pathsOf(system.groups.members(crew)), ['/a', '/b'])
  assert.equal(system.groups.names(), ['crew'])
})

test('a member that leaves is told no more, and one that joins again stands at the end', async () => {
  const { system, cells, settle } = await createCrew(['a', 'b'])

  cells[0]?.tell((ctx) => ctx.leave(crew))
  await settle()
  assert.equal(pathsOf(system.groups.members(crew)), ['/b'])
  cells[0]?.tell((ctx) => ctx.join(crew))
  await settle()

  assert.equal(pathsOf(system.groups.members(crew)), ['/b', '/a'])
})

test('a group ends with its last member', async () => {
  const { system, cells, settle } = await createCrew(['a'])

  cells[0]?.tell((ctx) => ctx.leave(crew))
  await settle()

  assert.equal(system.groups.names(), [])
  assert.equal(system.groups.members(crew), [])
})

test('broadcast tells every member once and counts what they answered', async () => {
  const { system, settle } = createWorld()
  const letters = groupKey<string>('letters')
  const heard: string[] = []
  const behaviour = recorder(heard)
  const join = {
    ...behaviour,
    start: (ctx: Parameters<typeof behaviour.start>[0]) => {
      ctx.join(letters)
      return behaviour.start(ctx)
    },
  }
  system.spawn({ name: 'a', behaviour: join })
  system.spawn({ name: 'full', behaviour: join, mailboxMax: 1 }).tell('first')
  const closing = system.spawn({ name: 'closing', behaviour: join })
  void closing.stop()

  const counts = system.groups.broadcast(letters, 'all')
  await settle()

  assert.equal(counts, { ok: 1, full: 1, dead: 1 })
  assert.equal(heard.sort(), ['all', 'first'])
})

test('a broadcast to nobody is told to nobody', () => {
  const { system } = createWorld()

  assert.equal(
    system.groups.broadcast(crew, () => {}),
    { ok: 0, full: 0, dead: 0 },
  )
})

test('membership belongs to the cell: a crash and a restart keep it, and mail told meanwhile is handled', async () => {
  const { system, simulation, cells, settle } = await createCrew(['a', 'b'])
  let heard = 0

  cells[0]?.tell(boom)
  await settle()
  assert.is(system.groups.broadcast(crew, () => void heard++).ok, 2)
  await simulation.pass(200)

  assert.equal(pathsOf(system.groups.members(crew)), ['/a', '/b'])
  assert.is(heard, 2)
})

test('a cell that joins in every start is a member once', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet((ctx) => ctx.join(crew)) })

  cell.tell(boom)
  await simulation.pass(200)

  assert.is(infoOf(system, cell)?.restarts, 1)
  assert.equal(system.groups.members(crew), [cell])
})

const deaths: Readonly<Record<string, (cell: Ref<Script>) => void>> = {
  'a stop from outside': (cell) => void cell.stop(),
  'a stop by itself': (cell) => void cell.tell((ctx) => ctx.stopSelf()),
  'a kill': (cell) => void cell.kill(),
  'a crash without restart': (cell) => void cell.tell(boom),
}

for (const [death, die] of Object.entries(deaths)) {
  test(`a cell is a member of no group after ${death}`, async () => {
    const { system, settle } = await createCrew(['b'])
    const other = groupKey<Script>('other')
    const cell = system.spawn({ name: 'a', restart: 'temporary', behaviour: puppet() })
    cell.tell((ctx) => {
      ctx.join(crew)
      ctx.join(other)
    })
    await settle()
    assert.equal(system.groups.names(), ['crew', 'other'])

    die(cell)
    await settle()

    assert.equal(pathsOf(system.groups.members(crew)), ['/b'])
    assert.equal(system.groups.names(), ['crew'])
  })
}

test('what members returns is a copy of the list', async () => {
  const { system } = await createCrew(['a', 'b'])

  system.groups.members(crew).pop()

  assert.is(system.groups.members(crew).length, 2)
})

test('groups are counted: one more than the bound is OVERLOADED and crashes the handler', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  cell.tell((ctx) => {
    for (let i = 0; i < limits.groupsMax; i++) ctx.join(groupKey<Script>(`group ${i}`))
  })
  await settle()
  assert.is(system.groups.names().length, limits.groupsMax)

  cell.tell((ctx) => ctx.join(crew))
  await settle()

  assert.match(infoOf(system, cell)?.lastError ?? '', 'OVERLOADED: a system has at most')
  assert.is(system.groups.names().length, limits.groupsMax)
})

test('members are counted: one more than the bound is OVERLOADED', async () => {
  const { system, simulation } = createWorld()
  const join = puppet((ctx) => ctx.join(crew))
  for (let i = 0; i < limits.groupMembersMax; i++) system.spawn({ name: `${i}`, behaviour: join })

  const late = system.spawn({ name: 'late', behaviour: join })
  await simulation.pass(1)

  assert.is(system.groups.members(crew).length, limits.groupMembersMax)
  assert.match(infoOf(system, late)?.lastError ?? '', 'OVERLOADED: the group crew has')
})

test('a name of the wrong type or length is a TypeError', () => {
  for (const name of ['', 'x'.repeat(limits.cellNameCharsMax + 1), 7, undefined])
    assert.throws(() => groupKey(name as string), TypeError)
})

function pathsOf(refs: readonly Ref<Script>[]): string[] {
  return refs.map((ref) => ref.path)
}

function boom(): void {
  throw new Error('told to crash')
}

test.run()
