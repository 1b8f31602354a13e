/** A damaged store put in order again: whatever row is lost or changed, what stays is signed, adds up, and opens. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openReplica, prepareRebase } from '../../../actors/replica/index.ts'
import type { Envelope, Replica, StoreOperation, StoreRow } from '../../../actors/replica/index.ts'
import { createSimulation, nodeCrypto, toHex } from '../../../runtime/index.ts'
import type { Simulation } from '../../../runtime/index.ts'
import { reissueAll, successor } from './misfit.ts'
import { authority, device, put, settle, spaceId, startNode, sync, tag } from './replica-world.ts'
import type { Node } from './replica-world.ts'

const everything = { gte: Uint8Array.of(0), lt: Uint8Array.of(255), limit: 100_000 }
const kindOf = ([key]: StoreRow): string => String.fromCharCode(key[0] ?? 0)

/** A closed device with own and foreign envelopes, an overwritten record, siblings, and a commit of many blocks. */
async function patient(simulation: Simulation): Promise<{ node: Node; live: Map<string, Set<string>> }> {
  const [one, two] = [await startNode(simulation, 1), await startNode(simulation, 2)]
  for (let n = 1; n <= 4; n += 1) await settle(simulation, put(one.replica, tag(n), `one ${n}`))
  await settle(simulation, sync(one, two))
  await settle(simulation, Promise.all([put(one.replica, tag(1), 'left'), put(two.replica, tag(1), 'right')]))
  await settle(simulation, put(two.replica, tag(2), 'over'))
  await settle(simulation, sync(two, one))
  const live = await shownBy(simulation, one.replica)
  await settle(simulation, one.replica.close())
  return { node: one, live }
}

/** Dots with their bodies, by tag. */
async function shownBy(simulation: Simulation, replica: Replica): Promise<Map<string, Set<string>>> {
  const name = ({ body }: Envelope): string => toHex(body)
  const found = await settle(simulation, replica.scan(undefined, 1000))
  return new Map(found.map((one) => [toHex(one.tag), new Set(one.live.map(name))]))
}

/** Damages a copy of the store, salvages it, opens it, and lets the replica verify itself. */
async function salvaged(operations: readonly StoreOperation[]): Promise<{
  after: Map<string, Set<string>>
  before: Map<string, Set<string>>
  problems: readonly string[]
}> {
  const simulation = createSimulation(3)
  const { node, live } = await patient(simulation)
  node.volume.damage('replica', operations)
  const store = await node.volume.openStore('replica')
  const common = {
    store,
    spaceId,
    env: simulation.env('salvage'),
    crypto: nodeCrypto,
    authority: authority(),
  }
  const left = { replicaId: device(1).replicaId, forkPoint: 0 }
  await settle(simulation, prepareRebase(common, { reason: 'damaged', left }))
  const own = successor(device(1))
  const replica = await settle(simulation, openReplica({ ...common, own }))
  await settle(simulation, reissueAll(replica))
  const report = await settle(simulation, replica.verify())
  const after = await shownBy(simulation, replica)
  await settle(simulation, replica.close())
  return { before: live, after, problems: report.problems }
}

async function rowsOfPatient(): Promise<StoreRow[]> {
  const { node } = await patient(createSimulation(3))
  return node.volume.rows('replica').range(everything)
}

test('a store that nobody touched comes through a salvage with all its writes, and own ones as new dots', async () => {
  const { before, after, problems } = await salvaged([])

  assert.equal(problems, [])
  assert.equal(after, before)
})

test('whatever row is lost, the rest opens, adds up, and holds nothing that was not there', async () => {
  for (const row of await rowsOfPatient()) {
    if (kindOf(row) === 'f') continue
    const { before, after, problems } = await salvaged([{ type: 'del', key: row[0] }])

    assert.equal(problems, [], `row ${toHex(row[0])}`)
    assertKept(row, before, after)
  }
})

test('whatever byte is flipped, the rest opens, adds up, and holds nothing that was not there', async () => {
  for (const row of await rowsOfPatient()) {
    if (kindOf(row) === 'f') continue
    for (let at = 0; at < row[1].length; at += 61) {
      const value = row[1].slice()
      value[at] = (value[at] ?? 0) ^ 0x10
      const { before, after, problems } = await salvaged([{ type: 'put', key: row[0], value }])

      assert.equal(problems, [], `row ${toHex(row[0])}, byte ${at}`)
      assertKept(row, before, after)
    }
  }
})

test('a store without its tags, or without its commits, is an empty one', async () => {
  for (const kind of ['t', 'c']) {
    const rows = (await rowsOfPatient()).filter((row) => kindOf(row) === kind)
    const { after, problems } = await salvaged(rows.map(([key]) => ({ type: 'del', key })))

    assert.equal([problems, after.size], [[], 0])
  }
})

test('a salvage that loses its power anywhere ends where an undisturbed one ends', async () => {
  const { after: expected } = await salvaged([])
  for (let cut = 0; cut < 12; cut += 1) {
    const simulation = createSimulation(50 + cut)
    const { node } = await patient(simulation)
    const left = { replicaId: device(1).replicaId, forkPoint: 0 }
    const prepare = async (): Promise<Replica> => {
      const store = await node.volume.openStore('replica')
      const common = {
        store,
        spaceId,
        env: simulation.env('salvage'),
        crypto: nodeCrypto,
        authority: authority(),
      }
      await prepareRebase(common, { reason: 'damaged', left })
      const replica = await openReplica({ ...common, own: successor(device(1)) })
      await reissueAll(replica)
      return replica
    }

    const first = prepare().catch(() => undefined)
    await simulation.pass(cut)
    node.volume.crash()
    await settle(simulation, first)
    const replica = await settle(simulation, prepare())

    assert.equal(await shownBy(simulation, replica), expected, `cut ${cut}`)
    assert.equal((await settle(simulation, replica.verify())).problems, [])
  }
})

/** Nothing was added, and only what the row could take with it is gone. */
function assertKept(
  row: StoreRow,
  before: ReadonlyMap<string, ReadonlySet<string>>,
  after: ReadonlyMap<string, ReadonlySet<string>>,
): void {
  let lost = 0
  for (const [of, bodies] of after) for (const body of bodies) assert.ok(before.get(of)?.has(body))
  for (const [of, bodies] of before)
    for (const body of bodies) if (after.get(of)?.has(body) !== true) lost += 1
  // A tag row has two envelopes at most, and a commit signed one.
  assert.ok(lost <= ('tc'.includes(kindOf(row)) ? 2 : 0), `${lost} writes went with row ${toHex(row[0])}`)
}

test.run()
