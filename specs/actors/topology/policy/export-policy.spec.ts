/** What an export policy takes: everything that could mean nothing, or something else, is refused by name. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import type { ExportPolicyOptions } from '../../../../actors/topology/policy/index.ts'
import { limits } from '../../../../runtime/index.ts'

function refused(options: unknown): string {
  try {
    new ExportPolicy(options as ExportPolicyOptions)
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error))
    return error.message
  }
  return 'nothing was refused'
}

const collections = ['bugs', 'people']

test('the least policy shares whole collections for reading and writing', () => {
  const { rules } = new ExportPolicy({ collections })

  assert.equal(rules, { collections, include: undefined, exclude: undefined, filter: {}, readOnly: false })
})

test('fields are given for all collections or by collection', () => {
  const { rules } = new ExportPolicy({
    collections,
    fields: { include: { bugs: ['id', 'title', 'state'] }, exclude: ['secret'] },
    filter: { bugs: { field: 'state', op: '=', value: 'open' } },
    readOnly: true,
  })

  assert.equal(rules.include, { bugs: ['id', 'title', 'state'] })
  assert.equal(rules.exclude, ['secret'])
  assert.equal(rules.filter, { bugs: { field: 'state', op: '=', value: 'open' } })
  assert.is(rules.readOnly, true)
})

test('an option that is undefined is absent', () => {
  const options = {
    collections,
    fields: { include: undefined, exclude: { bugs: undefined } },
    filter: undefined,
  }

  const { rules } = new ExportPolicy(options as unknown as ExportPolicyOptions)

  assert.is(rules.include, undefined)
  assert.equal(rules.exclude, {})
})

test('a misspelled option is refused instead of sharing more than was meant', () => {
  assert.match(refused({ collections, filters: {} }), /^options: expected only .*, got filters$/)
  assert.match(
    refused({ collections, fields: { exlude: ['secret'] } }),
    /^fields: expected only .*, got exlude$/,
  )
  assert.match(refused({ collections, fields: { exclude: { bug: ['secret'] } } }), /^fields\.exclude\.bug: /)
  assert.match(refused({ collections, fields: { include: { bug: [] } } }), /^fields\.include\.bug: /)
  assert.match(refused({ collections, filter: { bug: { field: 'a', op: '=', value: 1 } } }), /^filter\.bug: /)
})

test('collections are a list of names, each once', () => {
  assert.match(refused(undefined), /^options: expected a plain object/)
  assert.match(refused({}), /^collections: expected a list/)
  assert.match(refused({ collections: 'bugs' }), /^collections: expected a list/)
  assert.match(refused({ collections: [] }), /^collections: expected at least one/)
  assert.match(refused({ collections: ['bugs', 7] }), /^collections\[1\]: expected text, got number/)
  assert.match(refused({ collections: ['bugs', ''] }), /^collections\[1\] : it is empty/)
  assert.match(refused({ collections: ['bugs', 'bugs'] }), /^collections\[1\] bugs: it is named twice/)
  assert.match(
    refused({ collections: ['~own'] }),
    /^collections\[0\] ~own: names starting with ~ are reserved/,
  )
  assert.match(refused({ collections: ['\ud800'] }), /lone surrogate/)
  const many = Array.from({ length: limits.exportCollectionsMax + 1 }, (_, at) => `c${at}`)
  assert.match(refused({ collections: many }), /^collections: expected at most 255 names, got 256/)
})

test('fields are whole fields, each once, and id cannot be kept back', () => {
  const withFields = (fields: unknown): string => refused({ collections, fields })

  assert.match(withFields('title'), /^fields: expected a plain object/)
  assert.match(withFields({ include: 'title' }), /^fields\.include: expected a list of fields/)
  assert.match(withFields({ include: { bugs: 'title' } }), /^fields\.include\.bugs: expected a list/)
  assert.match(withFields({ exclude: ['a', 'a'] }), /^fields\.exclude\[1\] a: it is named twice/)
  assert.match(
    withFields({ exclude: ['address.city'] }),
    /^fields\.exclude\[0\] address\.city: only whole fields/,
  )
  assert.match(withFields({ exclude: { bugs: ['id'] } }), /^fields\.exclude\.bugs\[0\] id: /)
  assert.match(withFields({ include: [1] }), /^fields\.include\[0\]: expected text/)
  const many = Array.from({ length: limits.exportFieldsMax + 1 }, (_, at) => `f${at}`)
  assert.match(withFields({ include: many }), /^fields\.include: expected at most 1024/)
})

test('filters and readOnly are what they should be', () => {
  assert.match(refused({ collections, filter: [] }), /^filter: expected an object/)
  assert.match(
    refused({
      collections,
      filter: {
        bugs: {
          and: [
            { field: 'a', op: '=', value: 1 },
            { field: 'a', op: '~', value: 1 },
          ],
        },
      },
    }),
    /^filter\.bugs\.and\[1\]\.op: expected one of/,
  )
  assert.match(refused({ collections, readOnly: 'yes' }), /^readOnly: expected a boolean, got string/)
  assert.match(refused({ collections, readOnly: null }), /^readOnly: expected a boolean/)
})

test('the rules are a copy that cannot be changed', () => {
  const names = ['bugs']
  const hidden = { bugs: ['secret'] }
  const filter = { bugs: { field: 'state', op: 'in' as const, value: ['open'] } }
  const policy = new ExportPolicy({ collections: names, fields: { exclude: hidden }, filter })

  names.push('people')
  hidden.bugs.pop()
  filter.bugs.value.push('closed')

  const { rules } = policy
  assert.equal(rules.collections, ['bugs'])
  assert.equal(rules.exclude, { bugs: ['secret'] })
  assert.equal(rules.filter['bugs'], { field: 'state', op: 'in', value: ['open'] })
  for (const frozen of [
    policy,
    rules,
    rules.collections,
    rules.exclude,
    rules.filter,
    rules.filter['bugs'],
  ]) {
    assert.ok(Object.isFrozen(frozen))
  }
})

test('a collection may have the name of anything', () => {
  const odd = ['__proto__', 'constructor', 'a/b']
  const { rules } = new ExportPolicy({
    collections: odd,
    fields: {
      exclude: JSON.parse('{ "__proto__": ["secret"], "constructor": ["x"] }') as Record<string, string[]>,
    },
  })

  assert.equal(rules.collections, odd)
  assert.equal(Object.keys(rules.exclude ?? {}), ['__proto__', 'constructor'])
})

test.run()
