/** Reading arrivals page by page, beside whoever writes. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { ArrivalPage, Replica } from '../../../actors/replica/index.ts'
import { createSimulation } from '../../../runtime/index.ts'
import { codeOf, put, settle, startNode, tag, texts } from './replica-world.ts'

/** What a page shows of the tags that did not move on, as `tag text`. */
function shownOn(page: ArrivalPage, replica: Replica): string[] {
  return page.arrivals.flatMap(({ arrival, tag: found }) => {
    const present = replica.present(found)
    return present.arrival === arrival ? [`${found[0]} ${texts(present.live).join('+')}`] : []
  })
}

test('a page that reaches the newest arrival misses no tag, whatever batch is on its way to the disk', async () => {
  for (let seed = 1; seed <= 120; seed += 1) {
    const simulation = createSimulation(seed)
    const node = await startNode(simulation, 1)
    for (let n = 1; n <= 5; n += 1) await settle(simulation, put(node.replica, tag(n), 'old'))
    await settle(simulation, node.replica.close())
    const replica = await node.reopen()

    const writes = [2, 4].map((n) => put(replica, tag(n), 'new'))
    await simulation.pass(simulation.random() * 2)
    const page = await settle(simulation, replica.arrivals(0, 10))
    const shown = shownOn(page, replica)

    assert.equal([page.upTo, replica.lastArrival], [7, 7], `seed ${seed}`)
    assert.equal(shown, ['1 old', '3 old', '5 old', '2 new', '4 new'], `seed ${seed}`)
    await settle(simulation, Promise.all(writes))
  }
})

test('arrivals come from memory and from the disk alike, and a page ends at its limit', async () => {
  const simulation = createSimulation(3)
  const node = await startNode(simulation, 1)
  for (const n of [1, 2, 3, 1]) await settle(simulation, put(node.replica, tag(n), `v${n}`))
  const tags = (page: ArrivalPage): (number | undefined)[] => page.arrivals.map(({ tag: found }) => found[0])

  const fromMemory = await node.replica.arrivals(0, 3)
  assert.equal([tags(fromMemory), fromMemory.upTo], [[1, 2, 3], 3])
  assert.equal(shownOn(fromMemory, node.replica), ['2 v2', '3 v3'])
  assert.equal((await node.replica.arrivals(3, 3)).upTo, 4)
  await settle(simulation, node.replica.close())
  const replica = await node.reopen()

  const fromDisk = await settle(simulation, replica.arrivals(0, 2))
  assert.equal([tags(fromDisk), fromDisk.upTo], [[2, 3], 3])
  const rest = await settle(simulation, replica.arrivals(3, 2))
  assert.equal([tags(rest), rest.upTo], [[1], 4])
  assert.equal(await replica.arrivals(4, 2), { arrivals: [], upTo: 4 })
})

test('what is present of a tag is what was synced, and arrival 0 means that there is nothing', async () => {
  const simulation = createSimulation(4)
  const { replica } = await startNode(simulation, 1)
  assert.equal(replica.present(tag(1)), { arrival: 0, live: [] })
  await settle(simulation, put(replica, tag(1), 'one'))

  const write = put(replica, tag(1), 'two')
  assert.equal(texts(replica.present(tag(1)).live), ['one'])
  assert.is(replica.present(tag(1)).arrival, 1)
  await settle(simulation, write)
  assert.equal(texts(replica.present(tag(1)).live), ['two'])
  assert.is(replica.present(tag(1)).arrival, 2)
})

test('reading arrivals of a closed or failed replica is refused', async () => {
  const simulation = createSimulation(5)
  const node = await startNode(simulation, 1)
  await settle(simulation, put(node.replica, tag(1), 'one'))
  await settle(simulation, node.replica.close())
  assert.is(await codeOf(node.replica.arrivals(0, 5)), 'CLOSED')

  const replica = await node.reopen()
  const write = codeOf(put(replica, tag(1), 'two'))
  await simulation.pass(0)
  const page = codeOf(replica.arrivals(0, 5))
  node.volume.failNextBatch()
  assert.is(await settle(simulation, write), 'POISONED')
  assert.is(await settle(simulation, page), 'POISONED')
  assert.is(await codeOf(replica.arrivals(0, 5)), 'POISONED')
})

test.run()
