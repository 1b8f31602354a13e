// time limit: 300 s
/**
 * A host and three guests of two apps under random work from all sides, changing policies and grants, partitions, cut links and power
 * cuts: nothing hidden is ever sent or shown, nothing acknowledged is lost, and after healing each guest shows exactly what it may.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { BlazeError } from '../../runtime/index.ts'
import { Campaign } from './next-door-campaign.ts'
import type { NextDoorGuest } from './next-door-guest.ts'
import { same } from './next-door-oracle.ts'
import type { Shown } from './next-door-policy.ts'

const SEEDS = Number(process.env['SEEDS'] ?? 120)
const FIRST = Number(process.env['SEED'] ?? 1)
const STEPS = 40
/** Virtual ms within which everything is calm after healing. */
const CALM_MS = 60_000

for (let block = 0; block < SEEDS; block += 50) {
  const last = Math.min(block + 50, SEEDS) + FIRST - 1
  test(`guests show what the policy lets through and nothing else, seeds ${FIRST + block} to ${last}`, async () => {
    for (let seed = FIRST + block; seed <= last; seed++) await runSeed(seed)
  })
}

test('the same seed gives the same trace', async () => {
  const first = await runSeed(FIRST)
  const second = await runSeed(FIRST)

  assert.is(first, second)
})

test.run()

async function runSeed(seed: number): Promise<string> {
  try {
    return await simulate(new Campaign(seed))
  } catch (error) {
    // The runner of this file cannot print every kind of error.
    console.log(error)
    console.log(
      `seed ${seed} failed; replay: SEED=${seed} SEEDS=1 npx tsx specs/simulation/next-door.spec.ts`,
    )
    throw new Error(`seed ${seed} failed: ${String(error)}`, { cause: error })
  }
}

async function simulate(campaign: Campaign): Promise<string> {
  const { simulation, network } = campaign.world
  const chance = (): number => simulation.random()
  await campaign.begin()
  network.setFaults({ latencyMs: 1, jitterMs: 10 * chance(), loss: chance() < 0.3 ? 0.003 : 0 })
  for (let step = 0; step < STEPS; step++) {
    await campaign.act()
    await simulation.pass(chance() ** 2 * 400)
    campaign.check()
  }

  await campaign.finale()
  campaign.check()

  network.setFaults({ latencyMs: 1 })
  network.heal()
  await calm(campaign)
  await check(campaign)
  return simulation.traceHash()
}

/** Everybody who may be there is there and has seen everything. */
async function calm(campaign: Campaign): Promise<void> {
  const { world, guests } = campaign
  if (campaign.host === undefined) await campaign.startHost()
  await campaign.settleAll()
  for (const guest of guests) {
    const mode = campaign.allowed(guest.app)
    // One that was refused under other terms does not try again by itself.
    if ((await refused(campaign, guest)) && mode !== undefined) await campaign.closeGuest(guest)
    if (guest.client === undefined && mode !== undefined) {
      await world.settle(campaign.connect(guest, mode), CALM_MS)
    }
  }
  await campaign.settleAll()
  for (const guest of guests) {
    if (campaign.allowed(guest.app) !== undefined) assert.not(await refused(campaign, guest), guest.name)
  }
}

async function refused({ world }: Campaign, guest: NextDoorGuest): Promise<boolean> {
  const shared = guest.client?.shared
  if (shared === undefined) return false
  try {
    await world.settle(shared.caughtUp({ timeoutMs: CALM_MS }))
    return false
  } catch (error) {
    if (!(error instanceof BlazeError) || shared.status().state !== 'refused') throw error
    return true
  }
}

async function check(campaign: Campaign): Promise<void> {
  const { oracle, world, guests, host } = campaign
  assert.ok(host)
  const truth = await campaign.contents(host.db)
  for (const guest of guests) {
    const { client, name, app } = guest
    if (client === undefined) continue
    const look = { name, app, everShown: guest.everShown, shown: await campaign.contents(client) }
    assert.is(client.shared?.status().state, campaign.allowed(app) === undefined ? 'refused' : 'live', name)
    if (campaign.allowed(app) === undefined) oracle.checkPutOut(look, truth)
    else oracle.checkRest(look, truth)
    equal(guest.shown, look.shown, `what the live queries of ${name} told`)
  }
  oracle.checkHistory()
  const deltas = guests.map((guest) => guest.deltas)
  await world.simulation.pass(20_000)
  assert.equal(
    guests.map((guest) => guest.deltas),
    deltas,
    'guests are told nothing more',
  )
  campaign.check()
  for (const guest of guests) await campaign.closeGuest(guest)
  await world.settle(host.db.close())
  assert.equal(host.process.world.system.tree(), [])
}

function equal(found: ReadonlyMap<string, Shown>, expected: ReadonlyMap<string, Shown>, what: string): void {
  assert.equal([...found.keys()].sort(), [...expected.keys()].sort(), what)
  for (const [key, doc] of found) assert.ok(same(doc, expected.get(key)), `${what} of ${key}`)
}
