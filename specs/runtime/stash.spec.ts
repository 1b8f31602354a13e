/** Promises of the stash: a message put aside is neither lost nor overtaken by newer mail, and nothing is put aside without bound. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Context, Ref } from '../../runtime/index.ts'
import { limits, reducer } from '../../runtime/index.ts'
import type { Script, World } from './world.ts'
import { codeOf, createWorld, infoOf, puppet } from './world.ts'

interface Question {
  readonly type: 'open' | 'close' | 'boom' | 'work'
  readonly name?: string
  readonly reply?: (value: string) => void
}

/** A door: while it is closed it puts work aside. `heard` is the work that it did. */
function createDoor(mailboxMax = 1024): World & {
  door: Ref<Question>
  heard: string[]
  answers: string[]
  tell: (...names: string[]) => void
} {
  const world = createWorld()
  const heard: string[] = []
  const answers: string[] = []
  const door = world.system.spawn({
    name: 'door',
    mailboxMax,
    behaviour: reducer<boolean, Question>({
      kind: 'door',
      init: () => false,
      receive(open, { type, name = '', reply }, ctx) {
        if (type === 'boom') throw new Error('told to crash')
        if (type === 'open') {
          ctx.unstash()
          return true
        }
        if (type === 'close') return false
        if (open) {
          heard.push(name)
          reply?.(name)
        } else answers.push(ctx.stash())
        return open
      },
    }),
  })
  const tell = (...names: string[]): void => {
    for (const name of names) door.tell({ type: 'work', name })
  }
  return { ...world, door, heard, answers, tell }
}

test('what was put aside comes back oldest first, ahead of the mail that came later', async () => {
  const { door, heard, tell, settle } = createDoor()

  tell('1', '2', '3')
  door.tell({ type: 'open' })
  tell('4')
  await settle()

  assert.equal(heard, ['1', '2', '3', '4'])
})

test('what comes back and is put aside again keeps its order', async () => {
  const { door, heard, tell, settle } = createDoor()

  tell('1', '2')
  door.tell({ type: 'open' })
  door.tell({ type: 'close' })
  await settle()
  tell('3', '4')
  await settle()
  assert.equal(heard, ['1', '2'])
  door.tell({ type: 'open' })
  await settle()

  assert.equal(heard, ['1', '2', '3', '4'])
})

test('an ask that is put aside goes on waiting, and is answered after it came back', async () => {
  const { door, simulation, settle } = createDoor()
  let answer = ''
  void door
    .ask<string>((reply) => ({ type: 'work', name: 'asked', reply }), 1000)
    .then((value) => void (answer = value))
  await simulation.pass(500)
  assert.is(answer, '')

  door.tell({ type: 'open' })
  await settle()

  assert.is(answer, 'asked')
})

test('an ask that is put aside ends at its deadline', async () => {
  const { door, simulation } = createDoor()
  const failed = codeOf(door.ask((reply) => ({ type: 'work', reply }), 100))

  await simulation.pass(150)

  assert.is(await failed, 'ASK_TIMEOUT')
})

test('a crash brings back what was put aside, in front of the queue, and keeps the asks among it', async () => {
  const { door, heard, tell, simulation, settle } = createDoor()
  tell('1')
  const asked = door.ask<string>((reply) => ({ type: 'work', name: '2', reply }), 10_000)
  await settle()

  door.tell({ type: 'boom' })
  tell('3')
  await simulation.pass(300)
  assert.equal(heard, [])
  door.tell({ type: 'open' })
  await settle()

  assert.equal(heard, ['1', '2', '3'])
  assert.is(await asked, '2')
})

test('a stop makes dead letters of what was put aside, and fails the asks among it', async () => {
  const { door, tell, system, settle } = createDoor()
  tell('1', '2')
  const asked = codeOf(door.ask((reply) => ({ type: 'work', reply }), 10_000))
  await settle()

  void door.stop()
  await settle()

  assert.equal(
    system.deadLetters.list().map(({ reason, message }) => [reason, message]),
    [
      ['stopped', 'work'],
      ['stopped', 'work'],
      ['stopped', 'work'],
    ],
  )
  assert.is(await asked, 'CELL_DOWN')
})

test('the stash is bounded: the message that it does not take is still the handler’s', async () => {
  const { door, heard, answers, tell, settle } = createDoor()

  for (let i = 0; i < limits.stashMax; i++) {
    tell(`${i}`)
    if (i % 500 === 0) await settle()
  }
  await settle()
  tell('one too many')
  await settle()

  assert.is(answers.filter((answer) => answer === 'ok').length, limits.stashMax)
  assert.is(answers.at(-1), 'full')
  door.tell({ type: 'open' })
  await settle()
  assert.is(heard.length, limits.stashMax)
  assert.not(heard.includes('one too many'))
})

test('mail that comes back may lift the depth over the bound; tell answers full until it is drained', async () => {
  const { door, heard, tell, system, settle } = createDoor(3)
  tell('1', '2', '3')
  await settle()
  tell('4', '5')
  door.tell({ type: 'open' })
  let depth = 0
  door.tell({ type: 'close' })
  // Four and five were put aside as well; all five come back at once.
  system.tap.subscribe((event) => {
    if (event.type === 'mailbox.high') depth = Number(event.details['depth'])
  })

  await settle()
  door.tell({ type: 'open' })
  await settle()

  assert.equal(heard, ['1', '2', '3', '4', '5'])
  assert.ok(depth > 3, `the depth was ${depth}`)
})

test('tells are refused while mail that came back fills the mailbox', async () => {
  const { system, settle } = createWorld()
  const told: string[] = []
  let aside = true
  const cell: Ref<Script> = system.spawn({ name: 'a', behaviour: puppet(), mailboxMax: 2 })
  const put: Script = (ctx) => void (aside && ctx.stash())
  for (let i = 0; i < 2; i++) {
    cell.tell(put)
    cell.tell(put)
    await settle()
  }

  cell.tell((ctx) => {
    aside = false
    ctx.unstash()
    told.push(cell.tell(() => {}))
  })
  await settle()
  told.push(cell.tell(() => {}))

  assert.equal(told, ['full', 'ok'])
})

test('stash outside a handler, in a start, and for work without a message is a TypeError', async () => {
  const { system, settle } = createWorld()
  let kept: Context<Script> | undefined
  const errors: unknown[] = []
  const attempt = (ctx: Context<Script>): void => {
    try {
      ctx.stash()
    } catch (error) {
      errors.push(error)
    }
  }
  const cell = system.spawn({
    name: 'a',
    behaviour: puppet((ctx) => {
      kept = ctx
      attempt(ctx)
    }),
  })
  const gone = system.spawn({ name: 'gone', behaviour: puppet() })
  void gone.stop()
  await settle()
  if (kept !== undefined) attempt(kept)
  cell.tell((ctx) =>
    ctx.watch(gone, () => {
      attempt(ctx)
      return () => {}
    }),
  )
  await settle()

  assert.is(errors.length, 3)
  for (const error of errors) assert.instance(error, TypeError)
})

test('a child that starts in a handler of its parent cannot put the message of its parent aside', async () => {
  const { system, settle } = createWorld()
  const heard: string[] = []
  const parent = system.spawn({ name: 'parent', behaviour: puppet() })

  parent.tell((ctx) => {
    ctx.spawn({ name: 'child', restart: 'temporary', behaviour: puppet((child) => void child.stash()) })
    heard.push('handled')
  })
  await settle()
  parent.tell((ctx) => ctx.unstash())
  await settle()

  assert.equal(heard, ['handled'])
})

test('the tick of a timer may be put aside like mail, and comes back as mail', async () => {
  const { system, simulation } = createWorld()
  const heard: string[] = []
  let ready = false
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  const tick: Script = (ctx) => {
    if (ready) heard.push('tick')
    else ctx.stash()
  }
  cell.tell((ctx) => void ctx.after(10, tick))
  await simulation.pass(20)

  cell.tell((ctx) => {
    ready = true
    ctx.unstash()
  })
  await simulation.pass(1)

  assert.equal(heard, ['tick'])
})

test('putting a message aside twice puts it aside once', async () => {
  const { system, settle } = createWorld()
  let handled = 0
  const cell = system.spawn({ name: 'a', behaviour: puppet() })

  cell.tell((ctx) => {
    handled++
    if (handled > 1) return
    assert.equal([ctx.stash(), ctx.stash()], ['ok', 'ok'])
  })
  cell.tell((ctx) => ctx.unstash())
  await settle()

  assert.is(handled, 2)
})

test('a message that was put aside and then crashed its cell is out of the queue', async () => {
  const { system, simulation, settle } = createWorld()
  const heard: string[] = []
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let tries = 0
  const earlier: Script = (ctx) => void (tries === 0 ? ctx.stash() : heard.push('earlier'))
  cell.tell(earlier)
  await settle()

  cell.tell((ctx) => {
    tries++
    ctx.stash()
    throw new Error('told to crash')
  })
  await simulation.pass(1000)

  assert.is(tries, 1)
  assert.equal(heard, ['earlier'], 'only the message that crashed is lost')
  assert.is(system.quarantine.count, 1)
})

test('a message that was put aside, taken back and then crashed its cell is out of the queue', async () => {
  const { system, simulation } = createWorld()
  const cell = system.spawn({ name: 'a', behaviour: puppet() })
  let tries = 0

  cell.tell((ctx) => {
    tries++
    ctx.stash()
    ctx.unstash()
    throw new Error('told to crash')
  })
  await simulation.pass(60_000)

  assert.is(tries, 1)
  assert.is(infoOf(system, cell)?.restarts, 1)
})

test.run()
