/** Specs of how many batch records a store keeps. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BatchWindow } from '../../../actors/replica/batch-window.ts'
import { limits } from '../../../runtime/index.ts'

/** Lands batches of these sizes after one another and returns how many records are kept. */
function keptAfter(sizes: readonly number[]): number {
  const window = new BatchWindow(1)
  for (const bytes of sizes) window.landed(bytes, window.surplus(bytes))
  return sizes.length + 1 - window.firstKept
}

const repeated = (count: number, bytes: number): number[] => Array.from({ length: count }, () => bytes)

test('the records of more than the logs of LevelDB can hold are kept, and no others', () => {
  assert.is(keptAfter(repeated(20_000, 1_024)), limits.batchRecordsBytes / 1_024)
})

test('tiny batches do not pile up without bound', () => {
  assert.is(keptAfter(repeated(60_000, 1)), limits.batchRecordsBytes / limits.batchWeightBytesMin)
})

test('a huge batch does not push out the records of its neighbours', () => {
  const neighbours = repeated(2_000, 1_024)

  assert.is(keptAfter([...neighbours, 67_108_864, ...neighbours]), 4_001)
})

test('some records are kept whatever the size of the batches', () => {
  assert.is(keptAfter(repeated(1_000, 67_108_864)), limits.batchRecordsMin)
})

test('a window that is made of what was found goes on as it was', () => {
  const sizes = repeated(20_000, 1_000)
  const whole = new BatchWindow(1)
  for (const bytes of sizes) whole.landed(bytes, whole.surplus(bytes))
  const again = new BatchWindow(whole.firstKept, sizes.slice(whole.firstKept - 1))

  assert.is(again.surplus(5_000), whole.surplus(5_000))
  assert.ok(whole.surplus(5_000) > 1)
})

test.run()
