/** What is shown, what is held back, and that nothing held is ever killed unseen: REPLICATION rules 3, 4 and 15. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { RecordState } from '../../../actors/database/record/record.ts'
import { createChance, limits } from '../../../runtime/index.ts'
import { forge } from './forged-write.ts'
import { createMembers } from './member.ts'
import type { Member } from './member.ts'

const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }
const record = (id: string): RecordState => ({
  collection: 'c',
  id,
  home: null,
  life: 1,
  deleted: undefined,
  fields: new Map([['f', { value: 'forged', stamp }]]),
})

test('two devices that wrote apart show the same once they met', async () => {
  const members = createMembers()
  const [a, b] = [await members.add('a'), await members.add('b')]
  await a.write('insert', 'x', { one: 1, two: 1 })
  await members.send(a, b)

  await a.write('update', 'x', { one: 'a' })
  await b.write('update', 'x', { two: 'b' })
  await b.write('insert', 'y', { only: 'b' })
  await members.send(a, b)
  await members.send(b, a)

  assert.equal(await a.all(), [
    { id: 'x', one: 'a', two: 'b' },
    { id: 'y', only: 'b' },
  ])
  assert.equal(await b.all(), await a.all())
})

test('a delete wins over concurrent writes of its life, a restore wins over the delete', async () => {
  const members = createMembers()
  const [a, b] = [await members.add('a'), await members.add('b')]
  await a.write('insert', 'x', { v: 1 })
  await members.send(a, b)

  await a.delete('x')
  await b.write('update', 'x', { v: 2 })
  await members.send(b, a)
  await members.send(a, b)
  assert.equal([await a.all(), await b.all()], [[], []])

  await a.write('restore', 'x', { v: 3 })
  await members.send(a, b)
  assert.equal(await b.all(), [{ id: 'x', v: 3 }])
})

test('random work on three devices with random meetings ends equal everywhere, also after reopening', async () => {
  for (let seed = 1; seed <= 12; seed += 1) {
    const members = createMembers(seed)
    const all = [await members.add('a'), await members.add('b'), await members.add('c')]
    const chance = createChance(seed)
    const pick = (n: number): number => Math.floor(chance() * n)
    const any = (): Member => all[pick(3)] as Member
    for (let step = 0; step < 80; step += 1) {
      const id = `r${pick(5)}`
      const kind = pick(6)
      if (kind === 0) await any().delete(id)
      else if (kind <= 2) await any().write('put', id, { [`f${pick(3)}`]: step })
      else if (kind === 3)
        await any().write('update', id, { [`f${pick(3)}`]: pick(2) === 0 ? undefined : step })
      else {
        const [from, to] = [any(), any()]
        if (from !== to) await members.send(from, to)
      }
    }
    for (let round = 0; round < 2; round += 1) {
      for (const from of all) for (const to of all) if (from !== to) await members.send(from, to)
    }
    const expected = await (all[0] as Member).all()
    for (const member of all) {
      assert.equal(await member.all(), expected, `seed ${seed}, ${member.name}`)
      await member.reopen()
      assert.equal(await member.all(), expected, `seed ${seed}, ${member.name} reopened`)
    }
  }
})

test('a write of a clock that is ahead is held, is not killed by writes meanwhile, and is shown in time', async () => {
  const members = createMembers()
  const a = await members.add('a')
  const early = await members.add('early', { clockOffsetMs: limits.clockAheadMsMax + 60_000 })
  await a.write('insert', 'x', { v: 'before' })
  await members.send(a, early)
  await early.write('update', 'x', { v: 'from the future' })
  await early.write('insert', 'y', { v: 'from the future' })

  await members.send(early, a)
  assert.is(a.database.status().held.clock, 2)
  assert.equal(await a.all(), [])
  assert.is(await a.write('put', 'x', { w: 'meanwhile' }), 'ok')
  assert.equal(await a.get('x'), { id: 'x', w: 'meanwhile' })
  await a.reopen()
  assert.is(a.database.status().held.clock, 2)
  await members.simulation.pass(61_000)

  assert.is(a.database.status().held.clock, 0)
  assert.equal(await a.all(), [
    { id: 'x', v: 'from the future', w: 'meanwhile' },
    { id: 'y', v: 'from the future' },
  ])
})

test('a later envelope of a writer whose earlier one is held does not kill it through others', async () => {
  const members = createMembers()
  const [a, b] = [await members.add('a'), await members.add('b')]
  const future = { ...stamp, ms: 1_735_689_600_000 + limits.clockAheadMsMax + 30_000 }
  const ahead = { ...record('x'), fields: new Map([['held', { value: 1, stamp: future }]]) }
  await members.settle(forge(b, ahead, {}))
  await members.settle(forge(b, { ...record('x'), fields: new Map([['shown', { value: 1, stamp }]]) }, {}))
  await members.send(b, a)

  assert.equal(await a.get('x'), { id: 'x', shown: 1 })
  await a.write('update', 'x', { mine: 1 })
  await members.simulation.pass(31_000)

  assert.equal(await a.get('x'), { id: 'x', held: 1, mine: 1, shown: 1 })
})

test('an envelope under an unknown key is held until the key comes', async () => {
  const members = createMembers()
  const a = await members.add('a')
  const next = { epoch: 2, key: new Uint8Array(32).fill(2) }
  const b = await members.add('b', { epochs: [...a.database.identity.epochs, next] })
  await b.write('insert', 'x', { v: 1 })
  await members.send(b, a)

  assert.is(a.database.status().held.key, 1)
  assert.equal(await a.all(), [])
  await members.settle(a.database.updateIdentity({ epochs: [...a.database.identity.epochs, next] }))
  await members.simulation.pass(10)

  assert.equal(await a.all(), [{ id: 'x', v: 1 }])
  assert.is(a.database.status().held.key, 0)
  await a.reopen()
  assert.equal(await a.all(), [{ id: 'x', v: 1 }])
})

test('what is validly signed but wrong is held for good and hides nothing else', async () => {
  const members = createMembers()
  const [a, b] = [await members.add('a'), await members.add('b')]
  await a.write('insert', 'good', { v: 1 })
  await members.send(a, b)

  await members.settle(forge(b, record('other'), { tag: b.database.keyring.tag('c', 'good') }))
  await members.settle(forge(b, record('garbage'), { plain: new Uint8Array(20).fill(255) }))
  await members.settle(forge(b, record('forever'), { life: limits.livesMax + 1 }))
  await members.send(b, a)

  const { held } = a.database.status()
  assert.equal(held, { clock: 0, key: 0, life: 1, bad: 2 })
  assert.is(a.database.heldFloor(), Infinity, 'nothing of it will ever be shown')
  assert.equal(await a.all(), [{ id: 'good', v: 1 }])
  assert.is(await a.write('update', 'good', { v: 2 }), 'ok')
  assert.equal(await a.get('good'), { id: 'good', v: 2 })
  assert.equal(a.database.status().held, held)
})

test('a reader sees everything and writes nothing', async () => {
  const members = createMembers()
  const [a, b] = [await members.add('a'), await members.add('b', { role: 'reader' })]
  await a.write('insert', 'x', { v: 1 })
  await members.send(a, b)

  assert.equal(await b.all(), [{ id: 'x', v: 1 }])
  assert.is(await b.write('update', 'x', { v: 2 }), 'READ_ONLY')
  assert.is(await b.delete('x'), 'READ_ONLY')
})

test('a device whose clock is measured to be wrong does not write', async () => {
  const members = createMembers()
  const a = await members.add('a')

  const measured = (offsetMs: number): void => {
    const { env } = a.database
    a.database.clockMeasured({ wallMs: env.now() + offsetMs, monotonicMs: env.monotonic() })
  }
  measured(limits.clockAheadMsMax + 1)
  assert.is(await a.write('insert', 'x', {}), 'CLOCK_SKEW')
  measured(-limits.clockAheadMsMax)
  assert.is(await a.write('insert', 'x', {}), 'ok')
})

test.run()
