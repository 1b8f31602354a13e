/** Writes of a guest: its home, the fields that it does not see, records that are hidden from it, and who refuses what. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DocInput, GuestPolicy, GuestWritten, WriteStep } from '../../../actors/database/index.ts'
import { BlazeError, createChance, limits } from '../../../runtime/index.ts'
import type { Value } from '../../../runtime/index.ts'
import { createMembers, spaceOf } from './member.ts'
import { createOneDatabase } from './one-database.ts'
import type { OneDatabase } from './one-database.ts'

type Step = WriteStep | 'delete'

const homeOf = (n: number): Uint8Array => new Uint8Array(16).fill(n)

/** Shows records with `open: true`, and no field whose name begins with `s`. */
function policyOf(home: number): GuestPolicy {
  const fieldVisible = (_collection: string, field: string): boolean => !field.startsWith('s')
  return {
    home: homeOf(home),
    check(collection, inputs) {
      if (collection !== 'bugs') throw new BlazeError('FORBIDDEN', 'not exported')
      for (const { values } of inputs) {
        for (const field of values.keys()) {
          if (!fieldVisible(collection, field)) throw new BlazeError('FORBIDDEN', `no field ${field}`)
        }
      }
    },
    visible: ({ deleted, fields }) => deleted === undefined && fields.get('open')?.value === true,
    fieldVisible,
  }
}

async function codeOf(one: OneDatabase, work: Promise<boolean>): Promise<string> {
  const error = await one.settle(
    work.then(
      (value) => String(value),
      (reason: unknown) => reason,
    ),
  )
  if (error instanceof BlazeError) return error.code
  if (typeof error === 'string') return error
  throw error
}

/** What a record is, with its home. */
async function shown(one: OneDatabase, id: string): Promise<Record<string, unknown> | undefined> {
  const { entries } = await one.settle(one.page(0))
  const state = entries.find((entry) => entry.state?.id === id)?.state
  if (state === undefined) return undefined
  const home = state.home === null ? 'here' : `${state.home[0]}`
  if (state.deleted !== undefined) return { home, deleted: true }
  const fields: Record<string, unknown> = {}
  for (const [name, { value }] of state.fields) if (value !== undefined) fields[name] = value
  return { home, ...fields }
}

test('what a guest inserts is at home with it, and an id that was there before keeps its home', async () => {
  const one = await createOneDatabase()
  const [first, second] = [policyOf(1), policyOf(2)]
  await one.settle(one.write('insert', 'bugs', { id: 'local', open: true }))

  assert.is(await codeOf(one, one.guestWrite(first, 'insert', 'bugs', { id: 'a', open: true })), 'true')
  assert.is(await codeOf(one, one.guestWrite(first, 'put', 'bugs', { id: 'b', open: true })), 'true')
  assert.is(await codeOf(one, one.guestWrite(second, 'update', 'bugs', { id: 'a', n: 1 })), 'true')
  for (const id of ['a', 'local']) {
    assert.is(await codeOf(one, one.guestWrite(second, 'delete', 'bugs', { id })), 'true')
  }
  assert.equal(await shown(one, 'a'), { home: '1', deleted: true })
  assert.is(await codeOf(one, one.guestWrite(second, 'restore', 'bugs', { id: 'a', n: 2 })), 'true')
  assert.is(await codeOf(one, one.guestWrite(second, 'insert', 'bugs', { id: 'local', n: 2 })), 'true')
  await one.settle(one.write('update', 'bugs', { id: 'b', n: 3 }))

  assert.equal(await shown(one, 'a'), { home: '1', n: 2 })
  assert.equal(await shown(one, 'b'), { home: '1', open: true, n: 3 })
  assert.equal(await shown(one, 'local'), { home: 'here', n: 2 })
})

test('put of a guest replaces what it sees and leaves the rest as it was', async () => {
  const one = await createOneDatabase()
  await one.settle(one.write('insert', 'bugs', { id: 'a', open: true, old: 1, secret: 's', salary: 9 }))
  const { entries } = await one.settle(one.page(0))
  const before = entries[0]?.state?.fields.get('secret')

  await one.settle(one.guestWrite(policyOf(1), 'put', 'bugs', { id: 'a', open: true, fresh: 2 }))

  assert.equal(await one.settle(one.get('bugs', 'a')), {
    id: 'a',
    open: true,
    fresh: 2,
    secret: 's',
    salary: 9,
  })
  const [after] = (await one.settle(one.page(0))).entries
  assert.equal(after?.state?.fields.get('secret'), before, 'not even the stamp of a hidden field changed')
})

test('a hidden record is neither changed nor told of, but its id is refused', async () => {
  const one = await createOneDatabase()
  const policy = policyOf(1)
  await one.settle(one.write('insert', 'bugs', { id: 'hidden', open: false, n: 1 }))
  const { lastArrival } = spaceOf(one.database).replica
  const errorOf = (id: string): Promise<unknown> =>
    one.guestWrite(policy, 'update', 'bugs', { id, n: 2 }).catch((error: unknown) => error)

  const [hidden, missing] = [await one.settle(errorOf('hidden')), await one.settle(errorOf('missing'))]
  assert.ok(hidden instanceof BlazeError && missing instanceof BlazeError)
  assert.equal([hidden.code, hidden.message], ['NOT_FOUND', missing.message])
  assert.equal(Object.keys(hidden.details), Object.keys(missing.details))
  assert.is(await codeOf(one, one.guestWrite(policy, 'delete', 'bugs', { id: 'hidden' })), 'false')
  assert.is(await codeOf(one, one.guestWrite(policy, 'delete', 'bugs', { id: 'missing' })), 'false')
  for (const step of ['insert', 'put', 'restore'] as const) {
    assert.is(
      await codeOf(one, one.guestWrite(policy, step, 'bugs', { id: 'hidden', open: true })),
      'FORBIDDEN',
    )
  }

  assert.is(spaceOf(one.database).replica.lastArrival, lastArrival)
  assert.equal(await one.settle(one.get('bugs', 'hidden')), { id: 'hidden', open: false, n: 1 })
})

test('a record that left the filter is still written by the guest with whom it is at home, and by no other', async () => {
  const one = await createOneDatabase()
  const [home, other] = [policyOf(1), policyOf(2)]
  await one.settle(one.guestWrite(home, 'insert', 'bugs', { id: 'a', open: true }))
  assert.is(await codeOf(one, one.guestWrite(home, 'update', 'bugs', { id: 'a', open: false })), 'true')

  assert.is(await codeOf(one, one.guestWrite(other, 'update', 'bugs', { id: 'a', n: 2 })), 'NOT_FOUND')
  assert.is(await codeOf(one, one.guestWrite(other, 'delete', 'bugs', { id: 'a' })), 'false')
  assert.is(await codeOf(one, one.guestWrite(home, 'update', 'bugs', { id: 'a', n: 1 })), 'true')
  assert.equal(await shown(one, 'a'), { home: '1', open: false, n: 1 })
  assert.is(await codeOf(one, one.guestWrite(home, 'delete', 'bugs', { id: 'a' })), 'true')
})

test('a guest is told which of the records it wrote are at home with it and hidden, and of no others', async () => {
  const one = await createOneDatabase()
  const policy = policyOf(1)
  const docs = [{ id: 'a', open: true }, { id: 'b', open: false }, { id: 'c' }]

  const { hidden } = await one.settle(one.guestWritten(policy, 'insert', 'bugs', ...docs))
  await one.settle(one.write('insert', 'bugs', { id: 'local', open: true }))
  const left = await one.settle(one.guestWritten(policy, 'update', 'bugs', { id: 'local', open: false }))
  const back = await one.settle(one.guestWritten(policy, 'update', 'bugs', { id: 'b', open: true }))

  const { entries } = await one.settle(one.page(0))
  const tagOf = (id: string): unknown => entries.find(({ state }) => state?.id === id)?.tag
  assert.equal(
    hidden.map(({ index, life }) => [index, life]),
    [
      [1, 1],
      [2, 1],
    ],
  )
  assert.equal(hidden[1]?.tag, tagOf('c'))
  assert.equal([left.hidden, back.hidden], [[], []])
})

test('the policy is asked before anything is looked at, and what it refuses changes nothing', async () => {
  const one = await createOneDatabase()
  const policy = policyOf(1)
  const { lastArrival } = spaceOf(one.database).replica
  await one.settle(
    one.database.updateIdentity({
      mirrors: ['copies', 'bugs'].map((collection) => ({ collection, source: homeOf(9) })),
    }),
  )

  assert.is(await codeOf(one, one.guestWrite(policy, 'insert', 'copies', { id: 'a' })), 'FORBIDDEN')
  assert.is(await codeOf(one, one.guestWrite(policy, 'delete', 'copies', { id: 'a' })), 'FORBIDDEN')
  assert.is(await codeOf(one, one.guestWrite(policy, 'insert', 'bugs', { id: 'a', secret: 1 })), 'FORBIDDEN')
  assert.is(await codeOf(one, one.guestWrite(policy, 'insert', 'bugs', { id: 'a' })), 'READ_ONLY')
  assert.is(await codeOf(one, one.guestWrite(policy, 'delete', 'bugs', { id: 'a' })), 'READ_ONLY')
  assert.is(spaceOf(one.database).replica.lastArrival, lastArrival)
})

test('a host that may only read writes for no guest', async () => {
  const members = createMembers()
  await members.add('a')
  const reader = await members.add('b', { role: 'reader' })
  const write = reader.database.request<GuestWritten>((reply) => ({
    type: 'guest.write',
    step: 'insert',
    collection: 'bugs',
    inputs: [{ id: 'x', values: new Map() }],
    policy: policyOf(1),
    reply,
  }))

  const error = await members.settle(write.catch((reason: unknown) => reason))

  assert.ok(error instanceof BlazeError && error.code === 'READ_ONLY')
})

test('a write of several records is staged as a whole or not at all', async () => {
  const one = await createOneDatabase()
  const policy = policyOf(1)
  await one.settle(one.write('insert', 'bugs', { id: 'hidden' }, { id: 'seen', open: true }))
  const put = (...docs: DocInput[]): Promise<string> =>
    codeOf(one, one.guestWrite(policy, 'put', 'bugs', ...docs))

  assert.is(await put({ id: 'new' }, { id: 'seen', n: 1 }, { id: 'hidden' }), 'FORBIDDEN')
  assert.is(await put({ id: 'new' }, { id: 'big', text: 'x'.repeat(limits.recordCborBytesMax) }), 'TOO_LARGE')
  assert.is(await put({ id: 'new' }, { id: 'new' }), 'RECORD_EXISTS')
  const many = Array.from({ length: limits.bulkChunkRecords + 1 }, (_, n) => ({ id: `r${n}` }))
  assert.is(await put(...many), 'TOO_LARGE')

  assert.is(spaceOf(one.database).replica.lastArrival, 2)
  assert.is(await put(...many.slice(1)), 'true')
  assert.is(spaceOf(one.database).replica.lastArrival, 2 + limits.bulkChunkRecords)
  const gone = one.guestWrite(policy, 'delete', 'bugs', { id: 'seen' }, { id: 'hidden' }, { id: 'missing' })
  assert.is(await codeOf(one, gone), 'true')
  assert.equal(await one.settle(one.get('bugs', 'hidden')), { id: 'hidden' })
})

test('a write is judged on the record as it is staged at that moment, not as it is synced', async () => {
  const one = await createOneDatabase()
  const policy = policyOf(1)
  const records = ['a', 'b', 'c'].map((id) => ({ id, open: id !== 'b' }))
  await one.settle(one.write('insert', 'bugs', ...records))

  const hide = one.write('update', 'bugs', { id: 'a', open: false })
  const show = one.write('update', 'bugs', { id: 'b', open: true })
  const late = one.guestWrite(policy, 'update', 'bugs', { id: 'a', n: 1 })
  const early = one.guestWrite(policy, 'update', 'bugs', { id: 'b', n: 1 })
  const before = one.guestWrite(policy, 'update', 'bugs', { id: 'c', n: 1 })
  const hideLater = one.write('update', 'bugs', { id: 'c', open: false })
  const codes = Promise.all([late, early, before].map((work) => codeOf(one, work)))
  assert.equal(await codes, ['NOT_FOUND', 'true', 'true'])
  await one.settle(Promise.all([hide, show, hideLater]))

  assert.equal(await one.settle(one.get('bugs', 'a')), { id: 'a', open: false })
  assert.equal(await one.settle(one.get('bugs', 'b')), { id: 'b', open: true, n: 1 })
  assert.equal(await one.settle(one.get('bugs', 'c')), { id: 'c', open: false, n: 1 })
})

test('what a guest was told is on the disk', async () => {
  for (let seed = 1; seed <= 25; seed += 1) {
    const one = await createOneDatabase(seed)
    const policy = policyOf(1)
    await one.settle(one.write('insert', 'bugs', { id: 'a', open: true }, { id: 'b', open: true }))
    const told: string[] = []
    const note = (id: string, work: Promise<boolean>): void => {
      work.then(
        () => told.push(id),
        () => undefined,
      )
    }
    note('a', one.guestWrite(policy, 'update', 'bugs', { id: 'a', n: 1 }))
    note('b', one.guestWrite(policy, 'delete', 'bugs', { id: 'b' }))
    note('again', one.guestWrite(policy, 'delete', 'bugs', { id: 'b' }))
    note('c', one.guestWrite(policy, 'insert', 'bugs', { id: 'c' }))
    await one.simulation.pass((seed % 5) / 2)

    one.powerCut()
    await one.boot()

    const what = `seed ${seed}: ${told.join()}`
    if (told.includes('a')) assert.is((await one.settle(one.get('bugs', 'a')))?.['n'], 1, what)
    if (told.includes('b') || told.includes('again')) {
      assert.is(await one.settle(one.get('bugs', 'b')), undefined, what)
    }
    if (told.includes('c')) assert.equal(await shown(one, 'c'), { home: '1' }, what)
  }
})

interface Model {
  readonly home: string
  /** Undefined once it is deleted. */
  fields: Record<string, Value> | undefined
}

/** The rules of a guest's write, said again in the plainest way. Returns what the guest is told. */
function act(model: Map<string, Model>, guest: string, step: Step, doc: DocInput & { id: string }): string {
  const { id, ...patch } = doc
  const found = model.get(id)
  const fields = found?.fields
  const hidden = fields !== undefined && fields['open'] !== true && found?.home !== guest
  const values: Record<string, Value> = {}
  const removed: string[] = []
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined) removed.push(name)
    else values[name] = value as Value
  }
  if (step === 'delete') {
    if (found === undefined || fields === undefined || hidden) return 'false'
    found.fields = undefined
    return 'true'
  }
  if (step === 'update') {
    if (found === undefined || fields === undefined || hidden) return 'NOT_FOUND'
    found.fields = { ...fields, ...values }
    for (const name of removed) delete found.fields[name]
    return 'true'
  }
  if (hidden) return 'FORBIDDEN'
  if (step === 'put' && found !== undefined && fields !== undefined) {
    const kept = Object.entries(fields).filter(([name]) => name.startsWith('s'))
    found.fields = { ...Object.fromEntries(kept), ...values }
    return 'true'
  }
  if (fields !== undefined) return 'RECORD_EXISTS'
  if (step === 'restore' && found === undefined) return 'NOT_FOUND'
  model.set(id, { home: found?.home ?? guest, fields: values })
  return 'true'
}

test('random writes of two guests and the host come out as the rules say', async () => {
  const steps: readonly Step[] = ['insert', 'put', 'update', 'update', 'restore', 'delete']
  const counts = new Map<string, number>()
  for (let seed = 1; seed <= 12; seed += 1) {
    const one = await createOneDatabase(seed)
    const chance = createChance(seed)
    const pick = (n: number): number => Math.floor(chance() * n)
    const model = new Map<string, Model>()
    for (let turn = 0; turn < 150; turn += 1) {
      const id = `r${pick(6)}`
      const step = steps[pick(steps.length)] ?? 'put'
      const doc: DocInput & { id: string } = {
        id,
        ...(pick(2) === 0 ? { open: pick(3) > 0 } : {}),
        ...(pick(2) === 0 ? { n: pick(3) === 0 ? undefined : turn } : {}),
      }
      if (pick(4) === 0) {
        const hidden = { ...doc, open: pick(2) === 0, secret: turn }
        await one.settle(one.write('put', 'bugs', hidden))
        const fields: Record<string, Value> = { open: hidden.open, secret: turn }
        if (typeof doc['n'] === 'number') fields['n'] = doc['n']
        model.set(id, { home: model.get(id)?.home ?? 'here', fields })
        continue
      }
      const guest = 1 + pick(2)
      const expected = act(model, `${guest}`, step, doc)
      const got = await codeOf(one, one.guestWrite(policyOf(guest), step, 'bugs', doc))
      assert.is(got, expected, `seed ${seed}, turn ${turn}: ${step} ${id} by ${guest}`)
      counts.set(`${step} ${got}`, (counts.get(`${step} ${got}`) ?? 0) + 1)
    }
    for (const [id, { home, fields }] of model) {
      const expected = fields === undefined ? { home, deleted: true } : { home, ...fields }
      assert.equal(await shown(one, id), expected, `seed ${seed}: ${id}`)
    }
  }
  const outcomes = [
    'insert FORBIDDEN',
    'insert RECORD_EXISTS',
    'put FORBIDDEN',
    'update NOT_FOUND',
    'restore true',
  ]
  for (const outcome of outcomes) assert.ok((counts.get(outcome) ?? 0) > 3, outcome)
})

test.run()
