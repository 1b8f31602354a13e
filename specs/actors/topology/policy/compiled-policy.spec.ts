/** A policy in force: its version, what it lets through, and what a guest may write. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { equalRecords } from '../../../../actors/database/record/record.ts'
import type { FieldState, RecordState } from '../../../../actors/database/index.ts'
import { compilePolicy, ExportPolicy, guestPolicy } from '../../../../actors/topology/policy/index.ts'
import type { CompiledPolicy, ExportPolicyOptions } from '../../../../actors/topology/policy/index.ts'
import { BlazeError, nodeCrypto, toHex } from '../../../../runtime/index.ts'
import type { Value } from '../../../../runtime/index.ts'
import { arbitraryValue } from '../../../runtime/codec/arbitrary-value.ts'

const stamp = { ms: 1, counter: 0, writer: new Uint8Array(8) }

function recordOf(collection: string, values: Record<string, Value | undefined>): RecordState {
  const fields = new Map<string, FieldState>()
  for (const [name, value] of Object.entries(values)) fields.set(name, { value, stamp })
  return { collection, id: 'one', home: null, life: 1, deleted: undefined, fields }
}

function compile(options: ExportPolicyOptions): CompiledPolicy {
  return compilePolicy(new ExportPolicy(options).rules, nodeCrypto)
}

const versionOf = (options: ExportPolicyOptions): string => toHex(compile(options).version)

test('the version does not depend on the order of collections and fields', () => {
  const one = versionOf({
    collections: ['bugs', 'people'],
    fields: { include: ['a', 'b'], exclude: { people: ['x', 'y'], bugs: ['z'] } },
    filter: {
      bugs: { field: 'a', op: '=', value: 1 },
      people: { field: 'b', op: '=', value: { p: 1, q: 2 } },
    },
  })
  const other = versionOf({
    readOnly: false,
    filter: {
      people: { value: { q: 2, p: 1 }, op: '=', field: 'b' },
      bugs: { field: 'a', op: '=', value: 1 },
    },
    fields: { exclude: { bugs: ['z'], people: ['y', 'x'] }, include: ['b', 'a'] },
    collections: ['people', 'bugs'],
  })

  assert.is(one, other)
  assert.is(one.length, 32)
})

test('the version is the same however the same fields are given', () => {
  assert.is(
    versionOf({ collections: ['a', 'b'], fields: { include: ['x'] } }),
    versionOf({ collections: ['a', 'b'], fields: { include: { a: ['x'], b: ['x'] } } }),
  )
  assert.is(
    versionOf({ collections: ['a'] }),
    versionOf({ collections: ['a'], fields: { exclude: [] }, filter: {} }),
  )
})

test('naming id changes nothing, not even the version', () => {
  const named = compile({ collections: ['a'], fields: { include: ['id', 'x'] } })
  const unnamed = compile({ collections: ['a'], fields: { include: ['x'] } })

  assert.is(toHex(named.version), toHex(unnamed.version))
  assert.equal(
    ['id', 'x', 'y'].map((field) => named.fieldVisible('a', field)),
    [true, true, false],
  )
})

test('policies that differ in a rule differ in version', () => {
  const condition = { field: 'x', op: '=', value: 1 } as const
  const policies: ExportPolicyOptions[] = [
    { collections: ['a'] },
    { collections: ['a'], readOnly: true },
    { collections: ['b'] },
    { collections: ['a', 'b'] },
    { collections: ['ab'] },
    { collections: ['a'], fields: { include: [] } },
    { collections: ['a'], fields: { include: ['x'] } },
    { collections: ['a'], fields: { exclude: ['x'] } },
    { collections: ['a'], fields: { include: ['x', 'y'] } },
    { collections: ['a'], fields: { include: ['x'], exclude: ['y'] } },
    { collections: ['a', 'b'], fields: { include: ['x'] } },
    { collections: ['a', 'b'], fields: { include: { a: ['x'] } } },
    { collections: ['a', 'b'], fields: { include: { b: ['x'] } } },
    ...[1, 2, '1', 1.5, true, null, [1], { a: 1 }, -0, 0, Uint8Array.of(1), new Date(1)].map(
      (value): ExportPolicyOptions => ({ collections: ['a'], filter: { a: { field: 'x', op: '=', value } } }),
    ),
    { collections: ['a'], filter: { a: { field: 'y', op: '=', value: 1 } } },
    { collections: ['a'], filter: { a: { field: 'x', op: '<', value: 1 } } },
    { collections: ['a'], filter: { a: { not: condition } } },
    { collections: ['a'], filter: { a: { and: [condition] } } },
    { collections: ['a'], filter: { a: { or: [condition] } } },
    { collections: ['a'], filter: { a: { or: [condition, condition] } } },
    { collections: ['a'], filter: { a: { not: { not: condition } } } },
    { collections: ['a', 'b'], filter: { a: condition } },
    { collections: ['a', 'b'], filter: { b: condition } },
  ]

  const versions = policies.map(versionOf)

  assert.is(new Set(versions).size, policies.length)
})

test('the deepest filter with the deepest value has a version', () => {
  let value: Value = 1
  for (let depth = 0; depth < 60; depth += 1) value = [value]
  let filter: NonNullable<ExportPolicyOptions['filter']>[string] = { field: 'x', op: '=', value }
  for (let depth = 1; depth < 16; depth += 1) filter = { and: [filter] }

  const policy = compile({ collections: ['a'], filter: { a: filter } })

  assert.ok(policy.visible(recordOf('a', { x: value })))
})

test('a record is visible when it is alive, exported, and the filter holds on its whole', () => {
  const policy = compile({
    collections: ['bugs'],
    fields: { exclude: ['state'] },
    filter: { bugs: { field: 'state', op: '=', value: 'open' } },
  })
  const open = recordOf('bugs', { state: 'open' })

  assert.ok(policy.visible(open))
  assert.not(policy.visible(recordOf('bugs', { state: 'closed' })))
  assert.not(policy.visible(recordOf('bugs', { state: undefined })))
  assert.not(policy.visible({ ...open, deleted: stamp }))
  assert.not(policy.visible(recordOf('people', { state: 'open' })))
})

test('only visible fields are projected, removed ones with them, and nothing else changes', () => {
  const names = ['a', 'b', 'c', '__proto__', 'constructor']
  const list = fc.uniqueArray(fc.constantFrom(...names))
  const record = fc
    .dictionary(fc.constantFrom(...names), fc.option(arbitraryValue, { nil: undefined }))
    .map((values) => recordOf('c', values))

  fc.assert(
    fc.property(fc.option(list, { nil: undefined }), list, record, (include, exclude, state) => {
      const fields = { exclude, ...(include === undefined ? {} : { include }) }
      const policy = compile({ collections: ['c'], fields })

      const projected = policy.project(state)

      const visible = (name: string): boolean => (include?.includes(name) ?? true) && !exclude.includes(name)
      const expected = new Map([...state.fields].filter(([name]) => visible(name)))
      assert.ok(equalRecords(projected, { ...state, fields: expected }, nodeCrypto))
      for (const name of names) assert.is(policy.fieldVisible('c', name), visible(name))
    }),
    { numRuns: 500 },
  )
})

test('id is always visible, and nothing of a collection that is not exported', () => {
  const policy = compile({ collections: ['c'], fields: { include: [] } })

  assert.ok(policy.fieldVisible('c', 'id'))
  assert.not(policy.fieldVisible('c', 'title'))
  assert.not(policy.fieldVisible('other', 'id'))
  assert.not(policy.exports('other'))
  assert.is(policy.project(recordOf('other', { a: 1 })).fields.size, 0)
})

test('a guest writes visible fields of exported collections, and nothing else', () => {
  const policy = compile({ collections: ['bugs'], fields: { exclude: ['secret'] } })
  const guest = guestPolicy(policy, { home: new Uint8Array(16), readOnly: false })
  const check = (collection: string, values: Record<string, Value | undefined>): string => {
    try {
      guest.check(collection, [
        { id: 'ok', values: new Map() },
        { id: 'one', values: new Map(Object.entries(values)) },
      ])
    } catch (error) {
      assert.ok(error instanceof BlazeError)
      return `${error.code} ${error.message}`
    }
    return 'allowed'
  }

  assert.is(check('bugs', { title: 'x', state: undefined }), 'allowed')
  assert.match(check('people', {}), /^FORBIDDEN .* people$/)
  assert.match(check('bugs', { title: 'x', secret: 1 }), /^FORBIDDEN .* secret /)
  assert.match(check('bugs', { secret: undefined }), /^FORBIDDEN .* secret /)
})

test('a guest that may only read writes nothing, whatever makes it so', () => {
  const home = new Uint8Array(16)
  const open = compile({ collections: ['bugs'] })
  const closed = compile({ collections: ['bugs'], readOnly: true })
  const codeOf = (policy: CompiledPolicy, readOnly: boolean, collection = 'bugs'): string => {
    try {
      guestPolicy(policy, { home, readOnly }).check(collection, [])
    } catch (error) {
      assert.ok(error instanceof BlazeError)
      return error.code
    }
    return 'allowed'
  }

  assert.is(codeOf(open, false), 'allowed')
  assert.is(codeOf(open, true), 'READ_ONLY')
  assert.is(codeOf(closed, false), 'READ_ONLY')
  assert.is(codeOf(closed, true, 'people'), 'FORBIDDEN')
})

test.run()
