/**
 * Records that all write and nobody deletes: own fields, a field that the last write has, counters, sets, greatest and least values.
 * Invariant: imports nothing of the database.
 */
import type { Shown, ShownRecord } from './effect.ts'
import { fail } from './oracle-attempts.ts'
import type { Attempts } from './oracle-attempts.ts'

export function checkShared(oracle: Attempts, device: string, shown: Shown): void {
  for (const [record, fields] of shown.get('shared') ?? []) {
    checkOwn(oracle, device, record, fields)
    checkLast(oracle, device, record, fields)
    checkCount(oracle, device, record, fields)
    checkElements(oracle, device, record, fields)
    checkBound(oracle, device, record, fields, 'max')
    checkBound(oracle, device, record, fields, 'min')
  }
  const known = new Set([...(shown.get('shared')?.keys() ?? [])])
  for (const { effect, promised } of oracle.all('own', 'last', 'count', 'add', 'max', 'min'))
    if (promised && !known.has(effect.record)) fail(device, `shared ${effect.record} is lost`)
}

function checkOwn(oracle: Attempts, device: string, record: string, fields: ShownRecord): void {
  const bounds = new Map<string, { promised: number; asked: number }>()
  for (const { effect, promised } of oracle.all('own')) {
    if (effect.record !== record) continue
    const known = bounds.get(effect.field) ?? { promised: 0, asked: 0 }
    known.asked = Math.max(known.asked, effect.value)
    if (promised) known.promised = Math.max(known.promised, effect.value)
    bounds.set(effect.field, known)
  }
  // Also of a reader, whose writes are refused.
  for (const field of Object.keys(fields))
    if (field.startsWith('own-') && !bounds.has(field)) fail(device, `nobody wrote ${record}.${field}`)
  for (const [field, { promised, asked }] of bounds) {
    const value = Number(fields[field] ?? 0)
    if (value < promised || value > asked)
      fail(device, `${record}.${field} shows ${value}, acknowledged was ${promised}, asked for ${asked}`)
  }
}

/** A value that some acknowledged write saw and replaced is gone for ever. */
function checkLast(oracle: Attempts, device: string, record: string, fields: ShownRecord): void {
  const writes = oracle.all('last').filter(({ effect }) => effect.record === record)
  const value = fields['last']
  const promised = writes.filter((write) => write.promised)
  if (value === undefined) {
    if (promised.length > 0) fail(device, `${record}.last is lost`)
    return
  }
  if (!writes.some(({ effect }) => effect.token === value))
    fail(device, `${record}.last shows ${String(value)}, which nobody wrote`)
  const over = promised.find(({ effect }) => effect.over === value)
  if (over !== undefined)
    fail(
      device,
      `${record}.last shows ${String(value)}, over which ${over.device} wrote ${over.effect.token}`,
    )
}

function checkCount(oracle: Attempts, device: string, record: string, fields: ShownRecord): void {
  let [least, most] = [0, 0]
  for (const { effect, promised } of oracle.all('count')) {
    if (effect.record !== record) continue
    if (promised || effect.by < 0) least += effect.by
    if (promised || effect.by > 0) most += effect.by
  }
  const count = Number(fields['count'] ?? 0)
  if (count < least || count > most)
    fail(device, `${record}.count shows ${count}, expected ${least} to ${most}`)
}

/** Each element is added once. */
function checkElements(oracle: Attempts, device: string, record: string, fields: ShownRecord): void {
  const here = new Set(Array.isArray(fields['elements']) ? fields['elements'] : [])
  const mine = <E extends { readonly effect: { readonly record: string } }>(known: readonly E[]): E[] =>
    known.filter(({ effect }) => effect.record === record)
  const removals = mine(oracle.all('remove'))
  const removed = new Set(removals.map(({ effect }) => effect.element))
  for (const { effect, promised } of removals)
    if (promised && here.has(effect.element))
      fail(device, `${record}.elements has ${effect.element}, which was removed`)
  for (const { effect, promised } of mine(oracle.all('add')))
    if (promised && !removed.has(effect.element) && !here.has(effect.element))
      fail(device, `${record}.elements has lost ${effect.element}`)
}

function checkBound(
  oracle: Attempts,
  device: string,
  record: string,
  fields: ShownRecord,
  kind: 'max' | 'min',
): void {
  const writes = oracle.all(kind).filter(({ effect }) => effect.record === record)
  const value = fields[kind]
  const sign = kind === 'max' ? 1 : -1
  for (const { effect, promised } of writes)
    if (promised && !(typeof value === 'number' && sign * value >= sign * effect.value))
      fail(device, `${record}.${kind} shows ${String(value)}, written was ${effect.value}`)
  if (value !== undefined && !writes.some(({ effect }) => effect.value === value))
    fail(device, `${record}.${kind} shows ${String(value)}, which nobody wrote`)
}
