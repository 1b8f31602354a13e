// time limit: 120 s
/** Random work of a host and its guests, with lost links, slow readers, other policies and a failing disk, ends as the policy says. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MirrorPage, RecordState } from '../../../../actors/database/index.ts'
import { compilePolicy, ExportPolicy } from '../../../../actors/topology/policy/index.ts'
import type { CompiledPolicy } from '../../../../actors/topology/policy/index.ts'
import { BlazeError, createChance, equalBytes, nodeCrypto } from '../../../../runtime/index.ts'
import type { BareGuest } from './bare-guest.ts'
import { fieldsOf, sharing } from './host-world.ts'
import type { HostWorld } from './host-world.ts'

const exclude = ['secret']
const policies: readonly ExportPolicy[] = [
  new ExportPolicy({ collections: ['bugs', 'notes'], fields: { exclude } }),
  new ExportPolicy({
    collections: ['bugs', 'notes'],
    fields: { exclude },
    filter: { bugs: { field: 'open', op: '=', value: true } },
  }),
  new ExportPolicy({
    collections: ['bugs'],
    fields: { include: ['open', 'text'], exclude },
    filter: { bugs: { not: { field: 'n', op: '<', value: 5 } } },
  }),
]

const SEEDS = 16
const STEPS = 120
/** In the secret field of every record. */
const KEPT_BACK = 'kept-back'

test('whatever happens, each guest ends with just what the policy shows, and what is at home with it', async () => {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    try {
      await new Run(seed).play()
    } catch (error) {
      console.log(`failed with seed ${seed}`)
      if (error instanceof BlazeError) throw new Error(`seed ${seed}: ${error.code} ${error.message}`)
      throw error
    }
  }
})

class Run {
  readonly #seed: number
  readonly #chance: () => number
  #policy: ExportPolicy = policies[0] as ExportPolicy
  #guests: BareGuest[] = []
  /** All that ever were. */
  readonly #all: BareGuest[] = []

  constructor(seed: number) {
    this.#seed = seed
    this.#chance = createChance(seed)
  }

  async play(): Promise<void> {
    const world = await sharing({ seed: this.#seed, policy: this.#policy })
    for (const app of ['one', 'two', 'three']) await this.#connect(world, app)
    for (let step = 0; step < STEPS; step += 1) await this.#step(world)
    await this.#quiet(world)
    const policy = compilePolicy(this.#policy.rules, nodeCrypto)
    const host = await states(world)
    for (const guest of this.#guests) this.#check(guest, host, policy)
    for (const guest of this.#all) assert.not(guest.saw(KEPT_BACK), `seed ${this.#seed}`)
  }

  async #step(world: HostWorld): Promise<void> {
    const guest = this.#guests[this.#pick(3)] as BareGuest
    switch (this.#pick(14)) {
      case 0:
        await this.#reconnect(world, this.#pick(3))
        break
      case 1:
        guest.reading = false
        break
      case 2:
        guest.read()
        break
      case 3:
        if (this.#pick(3) > 0) break
        this.#policy = policies[this.#pick(policies.length)] as ExportPolicy
        world.share.setPolicy(this.#policy, undefined)
        break
      case 4:
        if (this.#pick(4) === 0 && world.database.space !== undefined) await world.reopen()
        break
      case 5:
        await world.pass(this.#chance() * 5)
        break
      case 6:
        await world.delete(this.#collection(), this.#id())
        break
      case 7:
      case 8:
      case 9:
        await this.#guestWrite(world, guest)
        break
      case 10: {
        // More than fits into one message.
        const docs = Array.from({ length: 120 }, (_, n) => [`m${n}`, this.#doc(4_000)])
        await world.write('put', 'bugs', Object.fromEntries(docs))
        break
      }
      default:
        await world.write('put', this.#collection(), { [this.#id()]: this.#doc() })
    }
  }

  async #guestWrite(world: HostWorld, guest: BareGuest): Promise<void> {
    if (guest.stream === 0 || guest.attachments.length === 0 || guest.closed !== undefined) return
    const { open, text, n } = this.#doc()
    const step = (['insert', 'put', 'update', 'delete'] as const)[this.#pick(4)] ?? 'put'
    const doc = step === 'delete' ? {} : this.#pick(2) === 0 ? { open, text } : { open, text, n }
    const code = await world.code(guest.write(step, this.#collection(), { [this.#id()]: doc }))
    const known = [
      'ok',
      'FORBIDDEN',
      'NOT_FOUND',
      'RECORD_EXISTS',
      'POISONED',
      'LINK_CLOSED',
      'CLOSED',
      'TIMEOUT',
    ]
    assert.ok(known.includes(code), `seed ${this.#seed}: ${code}`)
  }

  async #connect(world: HostWorld, name: string, from?: BareGuest): Promise<BareGuest> {
    const app = await world.settle(world.group.app(name))
    const guest = await world.connect({ app, ...(from === undefined ? {} : { from }) })
    guest.persistent = true
    guest.attach()
    if (from === undefined) this.#guests.push(guest)
    this.#all.push(guest)
    return guest
  }

  async #reconnect(world: HostWorld, at: number): Promise<void> {
    const before = this.#guests[at] as BareGuest
    if (this.#pick(2) === 0) before.hangUp()
    else before.link.destroy()
    await world.pass(this.#chance() * 3)
    this.#guests[at] = await this.#connect(world, ['one', 'two', 'three'][at] ?? '', before)
  }

  async #quiet(world: HostWorld): Promise<void> {
    await world.until(() => world.database.space !== undefined, 'the database')
    for (const guest of this.#guests) guest.read()
    const done = (): boolean => {
      const served = world.guests()
      return served.length === 3 && served.every(({ state, lag }) => state === 'live' && lag === 0)
    }
    await world.until(done, 'that all guests are live')
    await world.pass()
  }

  #check(guest: BareGuest, host: ReadonlyMap<string, RecordState>, policy: CompiledPolicy): void {
    const { rows } = guest
    const isMine = ({ home }: RecordState): boolean => home !== null && equalBytes(home, guest.home)
    for (const [name, state] of host) {
      if (!policy.visible(state)) continue
      const expected = fieldsOf(policy.project(state))
      assert.equal(fieldsOf(rows.get(name)), expected, `seed ${this.#seed}: ${name}`)
    }
    for (const [name, row] of rows) {
      const state = host.get(name)
      const shown = state !== undefined && policy.visible(state)
      // Of a collection that is not shared any more the guest is told nothing.
      const athome = isMine(row) && (state?.deleted === undefined || !policy.exports(row.collection))
      assert.ok(shown || athome, `seed ${this.#seed}: ${name} is too much`)
    }
  }

  #doc(bytes = 10): { open: boolean; n: number; text: string; secret: string } {
    const text = `${this.#pick(1_000)} `.padEnd(bytes, 'x')
    return { open: this.#pick(3) > 0, n: this.#pick(10), text, secret: `${KEPT_BACK} ${text}` }
  }

  #id(): string {
    return `r${this.#pick(12)}`
  }

  #collection(): string {
    return ['bugs', 'bugs', 'notes', 'private'][this.#pick(4)] ?? 'bugs'
  }

  #pick(n: number): number {
    return Math.floor(this.#chance() * n)
  }
}

/** All records of the host, deleted ones included, by `collection/id`. */
async function states(world: HostWorld): Promise<Map<string, RecordState>> {
  const all = new Map<string, RecordState>()
  for (let after = 0, last = false; !last;) {
    const page = await world.settle(
      world.database.request<MirrorPage>((reply) => ({ type: 'mirror.page', after, limit: 256, reply })),
    )
    for (const { state } of page.entries)
      if (state !== undefined) all.set(`${state.collection}/${state.id}`, state)
    after = page.upTo
    last = page.last
  }
  return all
}

test.run()
