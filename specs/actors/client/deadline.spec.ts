/** What a call that waits says when it has waited long enough. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { bounded, boundedWrite, stepwise } from '../../../actors/client/deadline.ts'
import { BlazeError, createSimulation } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { DATABASE, GROUP, neighbours } from './neighbours.ts'

const never = new Promise<never>(() => {})

async function refusal(simulation: Simulation, work: Promise<unknown>): Promise<unknown[]> {
  const told: unknown[] = []
  work.catch((error: unknown) =>
    told.push(...(error instanceof BlazeError ? [error.code, error.message] : [])),
  )
  await simulation.run(() => told.length > 0, { virtualMs: 60_000 })
  return told
}

test('the last step of a call names what the whole call was given, and keeps its deadline', async () => {
  const simulation = createSimulation(1)
  const env = simulation.env('app')
  const left = stepwise(env, { timeoutMs: 500 }, 10_000)
  await simulation.pass(300)

  const told = await refusal(simulation, bounded(env, 'connect', left(), never))

  assert.equal(told, ['TIMEOUT', 'connect: not within 500 ms'])
  assert.ok(simulation.now() < 501)
})

test('nothing is begun when the options are none', async () => {
  const env = createSimulation(1).env('app')
  let begun = 0
  const work = async (): Promise<void> => {
    begun += 1
  }

  for (const options of [null, 5, 'x', AbortSignal.abort(), { timeoutMs: NaN }, { signal: {} }]) {
    const error = await boundedWrite(env, 'put', options as never, work).catch((cause: unknown) => cause)
    assert.instance(error, TypeError)
  }
  assert.is(begun, 0)
  await boundedWrite(env, 'put', {}, work)
  assert.is(begun, 1)
})

test('only of a write it is said that it may still happen', async () => {
  const simulation = createSimulation(1)
  const env = simulation.env('app')
  const signal = AbortSignal.abort()

  const told = [
    await refusal(simulation, bounded(env, 'get', { timeoutMs: 5 }, never)),
    await refusal(simulation, bounded(env, 'get', { signal }, never)),
    await refusal(simulation, boundedWrite(env, 'put', { timeoutMs: 5 }, never)),
    await refusal(simulation, boundedWrite(env, 'put', { signal }, never)),
  ]

  assert.equal(told, [
    ['TIMEOUT', 'get: not within 5 ms'],
    ['ABORTED', 'get: the caller aborted'],
    ['TIMEOUT', 'put: not within 5 ms; the write may still happen'],
    ['ABORTED', 'put: the caller aborted; the write may still happen'],
  ])
})

test('connectToShared that ends before it dials names its own time and no write', async () => {
  const { world } = await neighbours({ collections: ['bugs'] })
  world.network.partition('late', 'host')
  const late = world.process('late')
  let early = 0
  for (let timeoutMs = 1; timeoutMs <= 8; timeoutMs += 1) {
    const options = { appGroup: GROUP, database: DATABASE, mode: 'readOnly' as const, timeoutMs }
    const [code, message] = await refusal(world.simulation, late.connect(options))
    assert.is(code, 'TIMEOUT')
    if (!String(message).includes('not within')) continue
    assert.is(message, `connectToShared: not within ${timeoutMs} ms`)
    early += 1
  }
  assert.ok(early > 0)
})

test.run()
