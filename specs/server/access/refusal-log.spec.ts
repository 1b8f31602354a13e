/** What was turned away is counted always, and told as long as the log stays small. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits, silentLog } from '../../../runtime/index.ts'
import { RefusalLog } from '../../../server/access/refusal-log.ts'
import { createWorld } from '../world.ts'

const refusal = { address: '192.0.2.1', code: 'PROTOCOL_VIOLATION', reason: 'no hello' } as const

test('each refusal is a line until the lines of the period are used up; the next period says what was left out', async () => {
  const { env, simulation } = createWorld()
  const lines: object[] = []
  const log = { ...silentLog, info: (_event: string, details: object = {}) => void lines.push(details) }
  const refusals = new RefusalLog({ ...env, log })

  for (let n = 0; n < limits.refusalLinesMax; n++) refusals.add(refusal)
  assert.is(lines.length, limits.refusalLinesMax)
  refusals.add(refusal)
  refusals.add({ ...refusal, code: 'BUSY' })
  assert.is(lines.length, limits.refusalLinesMax)

  await simulation.pass(limits.refusalPeriodMs)
  refusals.add(refusal)
  refusals.add(refusal)
  assert.equal(lines.slice(-2), [{ ...refusal, unsaid: 2 }, refusal])
  assert.equal(refusals.counts(), { PROTOCOL_VIOLATION: limits.refusalLinesMax + 3, BUSY: 1 })
})

test.run()
