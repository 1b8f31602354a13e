/** Specs of the passes over a whole store: when they run, what they find, and that they leave others alone. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Replica, SimulatedVolume, VerifyProgress } from '../../../actors/replica/index.ts'
import { BlazeError, bytesKey, createSimulation, limits } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { tagKey } from '../../../actors/replica/row.ts'
import { codeOf, draft, put, settle, startNode, tag } from './replica-world.ts'
import type { Node } from './replica-world.ts'

const dayMs = 86_400_000

async function nodeWithTags(simulation: Simulation, count: number): Promise<Node> {
  const node = await startNode(simulation, 1)
  for (let n = 0; n < count; n += 100) {
    const drafts = Array.from({ length: 100 }, (_, at) => draft(wideTag(n + at), `row ${n + at}`, []))
    await settle(simulation, node.replica.write(drafts))
  }
  return node
}

function wideTag(n: number): Uint8Array {
  const bytes = new Uint8Array(16)
  bytes[0] = n & 0xff
  bytes[1] = n >> 8
  bytes[2] = 1
  return bytes
}

/** In the middle of what the newest arrivals do not reach. */
function loseRow(volume: SimulatedVolume, n: number): void {
  volume.damage('replica', [{ type: 'del', key: tagKey(wideTag(n)) }])
}

/** Lets time pass; returns why the replica was poisoned, if it was. */
async function after(simulation: Simulation, replica: Replica, ms: number): Promise<BlazeError | undefined> {
  let poison: BlazeError | undefined
  replica.onPoisoned((error) => {
    poison = error
  })
  await simulation.run(() => false, { virtualMs: ms })
  return poison
}

test('a row lost in the middle passes the opening and is found by a pass', async () => {
  const simulation = createSimulation(1)
  const node = await nodeWithTags(simulation, 2_000)
  await node.replica.close()
  loseRow(node.volume, 3)

  await node.reopen()
  const report = await settle(simulation, node.replica.verify())

  assert.ok(report.count > 0)
  assert.match(report.problems.join(), /do not match|does not match|does not add up/)
  assert.is(await codeOf(put(node.replica, tag(1), 'late')), 'DAMAGED')
})

test('what a pass found is not forgotten by reopening, until a pass finds nothing', async () => {
  const simulation = createSimulation(2)
  const node = await nodeWithTags(simulation, 2_000)
  await node.replica.close()
  const before = node.volume.rows('replica').get(tagKey(wideTag(3))) ?? new Uint8Array()
  loseRow(node.volume, 3)
  await node.reopen()
  await settle(simulation, node.replica.verify())
  assert.is(await codeOf(node.replica.close()), 'DAMAGED')

  assert.is(await codeOf(node.reopen()), 'DAMAGED')
  node.volume.crash()
  node.volume.damage('replica', [{ type: 'put', key: tagKey(wideTag(3)), value: before }])
  await node.reopen()
  await settle(simulation, put(node.replica, tag(1), 'sound again'))
  await node.replica.close()
  await node.reopen()
})

test('a session that did not close is followed by a pass, even if the next one is short', async () => {
  const simulation = createSimulation(3)
  const node = await nodeWithTags(simulation, 2_000)
  node.volume.crash()
  await node.reopen()
  await node.replica.close()
  loseRow(node.volume, 3)
  await node.reopen()

  assert.is((await after(simulation, node.replica, limits.verifyDelayMs + 10_000))?.code, 'DAMAGED')
})

test('a session that closed is followed by a pass only when the last one is a day old', async () => {
  const simulation = createSimulation(4)
  const node = await nodeWithTags(simulation, 2_000)
  await node.replica.close()
  loseRow(node.volume, 3)

  await node.reopen()
  assert.is(await after(simulation, node.replica, limits.verifyDelayMs + 10_000), undefined)
  await node.replica.close()
  simulation.jump('node 1', dayMs)
  await node.reopen()

  assert.is((await after(simulation, node.replica, limits.verifyDelayMs + 10_000))?.code, 'DAMAGED')
})

test('a pass by itself that finds nothing is not repeated by the next opening', async () => {
  const simulation = createSimulation(5)
  const node = await nodeWithTags(simulation, 2_000)
  node.volume.crash()
  await node.reopen()
  assert.is(await after(simulation, node.replica, limits.verifyDelayMs + 10_000), undefined)
  await node.replica.close()
  loseRow(node.volume, 3)
  await node.reopen()

  assert.is(await after(simulation, node.replica, limits.verifyDelayMs + 10_000), undefined)
})

test('a stream of writes beside a pass is no false alarm, and is not held up', async () => {
  const simulation = createSimulation(6)
  const node = await nodeWithTags(simulation, 2_000)
  const { replica } = node
  let done = false
  let writes = 0
  const writer = async (): Promise<void> => {
    while (!done) {
      await put(replica, wideTag(writes % 3_000), `over ${writes}`)
      writes += 1
    }
  }
  const writing = writer()

  for (let pass = 0; pass < 5; pass += 1) {
    const { count, problems } = await settle(simulation, replica.verify())
    assert.is(count, 0, problems.join())
  }
  done = true
  await settle(simulation, writing)
  assert.ok(writes > 5)
})

test('a pass says how far it is, reads in small pages, and can be ended', async () => {
  const simulation = createSimulation(7)
  const { replica } = await nodeWithTags(simulation, 2_000)
  const seen: VerifyProgress[] = []
  const { tags, envelopes, rows } = await settle(
    simulation,
    replica.verify({ onProgress: (progress) => seen.push(progress) }),
  )
  assert.equal([tags, envelopes], [2_000, 2_000])
  assert.ok(seen.length >= 4_000 / limits.verifyPageRows)
  assert.is(seen.at(-1)?.rows, rows)
  assert.is(seen.at(-1)?.rowsExpected, rows)
  assert.ok(seen.every((step, at) => step.rows - (seen[at - 1]?.rows ?? 0) <= limits.verifyPageRows))

  const controller = new AbortController()
  const ended = replica.verify({ signal: controller.signal, onProgress: () => controller.abort() })
  assert.is(await codeOf(settle(simulation, ended)), 'ABORTED')
  const closed = replica.verify()
  assert.equal(await Promise.all([codeOf(closed), codeOf(settle(simulation, replica.close()))]), [
    'CLOSED',
    'none',
  ])
})

test('a look with keys sees every tag, and what it refuses is a problem', async () => {
  const simulation = createSimulation(8)
  const { replica } = await nodeWithTags(simulation, 300)
  let seen = 0
  const visit = (): void => {
    seen += 1
    if (seen === 7) throw new BlazeError('DAMAGED', 'the seventh does not open')
  }

  const { count, problems } = await settle(simulation, replica.verify({ visit }))

  assert.is(seen, 300)
  assert.is(count, 1)
  assert.match(problems[0] ?? '', /the seventh does not open/)
})

test('passes of one process run one after the other', async () => {
  const simulation = createSimulation(10)
  const nodes = [await nodeWithTags(simulation, 2_000), await nodeWithTags(simulation, 2_000)]
  const env = simulation.env('one process')
  for (const node of nodes) {
    node.volume.crash()
    await node.reopen({ env })
  }

  let [alone, together] = [0, 0]
  await simulation.run(
    () => {
      const running = nodes.filter(({ replica }) => replica.verifying !== undefined).length
      if (running === 1) alone += 1
      if (running > 1) together += 1
      return false
    },
    { virtualMs: limits.verifyDelayMs + 10_000 },
  )

  assert.ok(alone > 0)
  assert.is(together, 0)
})

test('signatures are verified for whoever asks', async () => {
  const simulation = createSimulation(9)
  const node = await nodeWithTags(simulation, 300)
  assert.is((await settle(simulation, node.replica.verify({ signatures: true }))).count, 0)
  const known = node.authority.devices.get(bytesKey(node.device.replicaId))
  node.authority.devices.set(bytesKey(node.device.replicaId), { mayWrite: true, verify: () => false })
  assert.ok(known)

  const plain = await settle(simulation, node.replica.verify())
  const { count, problems } = await settle(simulation, node.replica.verify({ signatures: true }))

  assert.is(plain.count, 0)
  assert.ok(count >= 300 / limits.commitBlockEnvelopesMax)
  assert.match(problems[0] ?? '', /does not verify/)
})

test.run()
