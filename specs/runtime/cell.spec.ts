/** Promises of one cell: order, bounds, watching and stopping. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Context } from '../../runtime/index.ts'
import { BlazeError, limits, reducer } from '../../runtime/index.ts'
import type { Script } from './world.ts'
import { createWorld, infoOf, puppet, recorder } from './world.ts'

test('messages of one sender are handled in the order they were told', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })
  const told = Array.from({ length: 1000 }, (_, i) => `${i}`)

  for (const message of told) cell.tell(message)
  await settle()

  assert.equal(heard, told)
})

test('tell never runs the receiver, not even for a cell that tells itself', async () => {
  const { system, settle } = createWorld()
  const order: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => {
    ctx.self.tell(() => order.push('inner'))
    order.push('outer')
  })
  order.push('told')
  await settle()

  assert.equal(order, ['told', 'outer', 'inner'])
})

test('a full mailbox answers full, and takes messages again once it is handled', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard), mailboxMax: 3 })

  const answers = ['1', '2', '3', '4'].map((message) => cell.tell(message))
  await settle()
  const later = cell.tell('5')
  await settle()

  assert.equal(answers, ['ok', 'ok', 'ok', 'full'])
  assert.is(later, 'ok')
  assert.equal(heard, ['1', '2', '3', '5'])
})

test('the default mailbox holds exactly 1,024 messages', () => {
  const { system } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })
  let taken = 0

  while (cell.tell('x') === 'ok') taken++

  assert.is(taken, 1024)
})

test('a stopped cell answers dead, and the message becomes a dead letter without its payload', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: recorder([]) })
  void cell.stop()
  await settle()

  assert.is(cell.tell('secret'), 'dead')

  assert.is(cell.alive, false)
  assert.is(system.deadLetters.count, 1)
  const [letter] = system.deadLetters.list()
  assert.is(letter?.reason, 'dead')
  assert.is(letter?.path, '/a')
  assert.not.match(JSON.stringify(letter), 'secret')
})

test('dead letters are counted for ever and kept up to their bound', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  const other = system.spawn({ name: 'b', behaviour: recorder([]) })
  void cell.stop()
  void other.stop()
  await settle()

  for (let i = 0; i < 300; i++) cell.tell(() => {})
  other.tell('last')

  assert.is(system.deadLetters.count, 301)
  assert.is(system.deadLetters.list().length, 256)
  assert.is(system.deadLetters.list().at(-1)?.path, '/b')
})

test('the system lane goes before user mail', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  const gone = system.spawn({ name: 'gone', behaviour: puppet() })
  void gone.stop()
  await settle()

  cell.tell((ctx) => {
    ctx.self.tell(() => heard.push('user'))
    ctx.watch(gone, () => () => heard.push('system'))
  })
  await settle()

  assert.equal(heard, ['system', 'user'])
})

test('a cell that overfills its own system lane, or owns without end, crashes: both are leaks', async () => {
  const { system, settle } = createWorld()
  const gone = system.spawn({ name: 'gone', behaviour: puppet() })
  void gone.stop()
  await settle()
  const posting = system.spawn({ name: 'posting', behaviour: puppet() })
  const owning = system.spawn({ name: 'owning', behaviour: puppet() })

  posting.tell((ctx) => {
    for (let i = 0; i <= limits.systemMailMax; i++) ctx.watch(gone, () => () => {})
  })
  owning.tell((ctx) => {
    for (let i = 0; i <= limits.ownedMax; i++) ctx.own(() => {})
  })
  await settle()

  assert.match(infoOf(system, posting)?.lastError ?? '', 'system lane')
  assert.match(infoOf(system, owning)?.lastError ?? '', 'owns more than')
})

test('watch tells of every death once, and at once when the cell is dead already', async () => {
  const { system, simulation, settle } = createWorld()
  const reasons: string[] = []
  const target = system.spawn({ name: 'target', behaviour: puppet() })
  const watcher = system.spawn({ name: 'watcher', behaviour: puppet() })
  const watch: Script = (ctx) =>
    ctx.watch(target, (reason) => () => reasons.push(`${reason.kind} ${reason.final}`))
  watcher.tell(watch)
  await settle()

  target.tell(() => throwIt())
  await simulation.pass(1000)
  void target.stop()
  await settle()
  watcher.tell(watch)
  await settle()

  assert.equal(reasons, ['crashed false', 'stopped true', 'stopped true'])
})

test('ctx.crash from outside a handler crashes the cell at its next turn', async () => {
  const { system, settle } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let kept: Context<Script> | undefined
  cell.tell((ctx) => {
    kept = ctx
  })
  await settle()

  kept?.crash(new Error('from a socket'))
  await settle()

  assert.is(infoOf(system, cell)?.state, 'restarting')
  assert.match(infoOf(system, cell)?.lastError ?? '', 'from a socket')
})

test('children stop right to left, then their parent, then what it owns', async () => {
  const { system, simulation, settle } = createWorld()
  const order: string[] = []
  const farewell = (name: string, children: string[]): Parameters<typeof system.spawn<string>>[0] => ({
    name,
    behaviour: reducer<null, string>({
      kind: 'node',
      init(ctx) {
        for (const child of children) ctx.spawn(farewell(child, []))
        ctx.own(() => order.push(`close ${name}`))
        return null
      },
      receive: (state) => state,
      async stop(_state, ctx) {
        await new Promise<void>((resolve) => void ctx.env.after(10, resolve))
        order.push(`stop ${name}`)
      },
    }),
  })
  system.spawn(farewell('parent', ['left', 'right']))
  system.spawn(farewell('last', []))
  await settle()

  const stopped = system.stop()
  await simulation.pass(200)
  await stopped

  assert.equal(order, [
    'stop last',
    'close last',
    'stop right',
    'close right',
    'stop left',
    'close left',
    'stop parent',
    'close parent',
  ])
  assert.equal(system.tree(), [])
})

test('a stop goes ahead of queued mail, which becomes dead letters', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: recorder(heard) })

  cell.tell('queued')
  void cell.stop()
  await settle()

  assert.equal(heard, [])
  const letters = system.deadLetters.list()
  assert.equal(
    letters.map((letter) => letter.reason),
    ['stopped'],
  )
})

test('a stopped system starts nothing and stops again without harm', async () => {
  const { system, settle } = createWorld()
  const stopped = system.stop()
  await settle()
  await stopped
  await system.stop()

  assert.throws(() => system.spawn({ name: 'a', behaviour: puppet() }), /is stopped/)
})

test('a name is taken while its cell lives and free once it has stopped', async () => {
  const { system, settle } = createWorld()
  const first = system.spawn({ name: 'a', behaviour: puppet() })

  assert.throws(
    () => system.spawn({ name: 'a', behaviour: puppet() }),
    (error: unknown) => error instanceof BlazeError && error.code === 'NAME_TAKEN',
  )
  assert.throws(() => system.spawn({ name: 'a/b', behaviour: puppet() }), TypeError)
  void first.stop()
  await settle()
  system.spawn({ name: 'a', behaviour: puppet() })
})

function throwIt(): void {
  throw new Error('told to crash')
}

test.run()
