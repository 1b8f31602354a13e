// time limit: 240 s
/** The disk of a copy under random steps: what is opened is always the whole of some moment, never less than what was synced. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createSimulatedVolume } from '../../../../actors/replica/index.ts'
import type { SimulatedVolume } from '../../../../actors/replica/index.ts'
import { removeRows } from '../../../../actors/topology/guest/mirror-opening.ts'
import { EMPTY_HEAD } from '../../../../actors/topology/guest/mirror-row.ts'
import type { MirrorHead, MirrorRow } from '../../../../actors/topology/guest/mirror-row.ts'
import { MirrorStore } from '../../../../actors/topology/guest/mirror-store.ts'
import {
  BlazeError,
  bytesKey,
  createChance,
  createSimulation,
  nodeCrypto,
} from '../../../../runtime/index.ts'
import type { Env } from '../../../../runtime/index.ts'
import { settle } from '../../../fixtures/settle.ts'
import { recordOf, tagOf } from './mirror-record.ts'

const KEY = new Uint8Array(32).fill(1)
const TAGS = Array.from({ length: 900 }, (_, n) => bytesKey(tagOf(`t${n}`)))

type Rows = ReadonlyMap<string, MirrorRow>

/** The moments of one life, by the pass of the head that each step set. */
class Life {
  readonly moments: Map<number, Rows>
  /** Pass of the last step that is known to be on the disk for good. */
  synced: number
  rows: Rows
  /** Everything was to be removed: should that be cut short, nothing of the copy is used. */
  wiped = false
  /** What is said to be done now is only void. */
  wiping = false

  constructor(pass: number, rows: Rows) {
    this.moments = new Map([[pass, rows]])
    this.synced = pass
    this.rows = rows
  }
}

async function open(
  env: Env,
  volume: SimulatedVolume,
  life: Life,
): Promise<{ store: MirrorStore; rows: Rows; life: Life }> {
  const rows = new Map<string, MirrorRow>()
  const disk = await volume.openStore('store')
  const place = { store: disk, env, crypto: nodeCrypto, key: KEY }
  const openStore = (): Promise<MirrorStore> =>
    MirrorStore.open(
      place,
      (tag, row) => void rows.set(tag, row),
      () => {},
    )
  try {
    return { store: await openStore(), rows, life }
  } catch (error) {
    if (!(error instanceof BlazeError && error.code === 'DAMAGED' && life.wiped)) throw error
    assert.match(error.message, 'removed')
    rows.clear()
    await removeRows(disk)
    return { store: await openStore(), rows, life: new Life(0, new Map()) }
  }
}

function drive(store: MirrorStore, life: Life, chance: () => number): void {
  const head: MirrorHead = { ...EMPTY_HEAD, pass: store.head.pass + 1 }
  const next = new Map(life.rows)
  const rows = new Map<string, MirrorRow | undefined>()
  const fresh = new Set<string>()
  if (chance() < 0.03) {
    life.wiping = true
    store.wipe()
    life.wiping = false
    life.wiped = true
    next.clear()
  }
  const before = new Set(next.keys())
  const count = chance() < 0.2 ? Math.floor(chance() * 600) : Math.floor(chance() * 6)
  for (let n = 0; n < count; n += 1) {
    const tag = TAGS[Math.floor(chance() * TAGS.length)] as string
    const presence = store.presence(tag)
    assert.is(presence === 'shown', before.has(tag))
    if (presence === 'absent' && !rows.has(tag)) fresh.add(tag)
    if (chance() < 0.7) {
      const row = { pass: head.pass, state: recordOf('c', tag.charCodeAt(0).toString(), { n: head.pass }) }
      rows.set(tag, row)
      next.set(tag, row)
    } else {
      rows.set(tag, undefined)
      next.delete(tag)
    }
  }
  const sync = chance() < 0.1
  const done = (): void => {
    if (sync && !life.wiping) life.synced = Math.max(life.synced, head.pass)
  }
  store.write({ rows, head, fresh, sync, done })
  life.rows = next
  life.moments.set(head.pass, next)
}

test('every opening after a close or a power cut shows the rows of one moment, and none is lost that was synced', async () => {
  for (let seed = 1; seed <= 15; seed += 1) {
    console.log(`seed ${seed}`)
    const chance = createChance(seed)
    const simulation = createSimulation(seed)
    const volume = createSimulatedVolume(simulation.env('disk'))
    let life = new Life(0, new Map())
    for (let boot = 0; boot < 8; boot += 1) {
      const opened = await settle(simulation, open(simulation.env('app'), volume, life))
      const { store, rows } = opened
      life = opened.life
      const moment = life.moments.get(store.head.pass)
      assert.ok(moment !== undefined && store.head.pass >= life.synced, `seed ${seed} boot ${boot}`)
      assert.equal(new Set(rows.keys()), new Set(moment.keys()), `seed ${seed} boot ${boot}`)
      for (const [tag, row] of rows) assert.is(row.pass, moment.get(tag)?.pass, `seed ${seed} boot ${boot}`)
      life = new Life(store.head.pass, moment)
      for (let step = 0; step < 40; step += 1) {
        drive(store, life, chance)
        const tag = TAGS[Math.floor(chance() * TAGS.length)] as string
        assert.is(store.row(tag)?.pass, life.rows.get(tag)?.pass, `seed ${seed} boot ${boot} step ${step}`)
        if (chance() < 0.6) await simulation.pass(chance() * 3)
      }
      const end = chance()
      if (end < 0.5) {
        await settle(simulation, store.close())
        life.synced = store.head.pass
      } else {
        volume.crash()
        simulation.cut('app')
      }
    }
  }
})

test.run()
