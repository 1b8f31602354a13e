// time limit: 200 s
/**
 * Two devices and a supervisor, each a process of its own, over links of every kind of fault: both say what is wrong while it lasts, and
 * converge with all that was acknowledged once it is over. Each fault has a proxy and a database of its own, and all go on at a time.
 * `SEED=…` repeats what is left to chance.
 */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { SyncStatus } from '../../../actors/index.ts'
import type { Faults } from '../../../scripts/fault-proxy/fault.ts'
import { FaultProxy } from '../../../scripts/fault-proxy/fault-proxy.ts'
import { Stage } from '../../../scripts/process/stage.ts'
import { DeviceProcess } from '../../fixtures/device-process.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'

const collection = 'notes'
const writes = 40
const text = 'z'.repeat(400)
/** Milliseconds in which a state has to be told: writes are stale after 5 s, and the machine may be slow. */
const tellMsMax = 30_000
/** Milliseconds in which devices have to agree: at once where a link was left, else once its silence of 40 s is noticed. */
const liveMsMax = 30_000
const deadMsMax = 75_000

const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))
console.log(`faulty-link: SEED=${seed}`)

const stage = new Stage('faulty-link-spec')
const a = new DeviceProcess(stage, 'a')
const b = new DeviceProcess(stage, 'b')
let supervisor: SupervisorProcess

interface Link {
  readonly name: string
  readonly proxy: FaultProxy
  readonly atA: string
  readonly atB: string
}

/** What a device says; both have writes that wait. */
interface Said {
  readonly state: SyncStatus['state'] | undefined
  readonly why: string
}

interface Fault {
  readonly what: string
  readonly faults: Partial<Faults>
  /** Work and expectations while the fault holds. */
  readonly meanwhile: (link: Link) => Promise<void>
  /** Milliseconds from the end of the fault to agreement. */
  readonly healMsMax: number
  /** After agreement. */
  readonly after?: (link: Link) => void
}

/** A database of both devices, over a proxy that has no fault yet. */
async function share(at: number): Promise<Link> {
  const name = `link-${at}`
  const to = { host: '127.0.0.1', port: supervisor.port }
  const proxy = await FaultProxy.start({ to, seed: seed + at })
  stage.own(name, () => proxy.close())
  const [atA, atB] = [join(stage.directory, `${name}-a`), join(stage.directory, `${name}-b`)]
  await a.call('open', { at: atA })
  const code = await supervisor.code()
  await a.call('enableSync', { at: atA, code, database: name, port: proxy.port })
  await b.call('join', { at: atB, invite: await a.call('invite', { at: atA, role: 'writer' }) })
  await b.call('caughtUp', { at: atB })
  // The invite named the supervisor as the device knows it: through the proxy.
  assert.ok(proxy.counts.living >= 2, 'both devices go through the proxy')
  return { name, proxy, atA, atB }
}

const docsOf = (by: string): { id: string; by: string; text: string }[] =>
  Array.from({ length: writes }, (_, n) => ({ id: `${by}-${n}`, by, text }))

/** One commit each, acknowledged when it resolves. */
async function write({ atA, atB }: Link): Promise<void> {
  await Promise.all([
    a.call('putMany', { at: atA, collection, docs: docsOf('a') }),
    b.call('putMany', { at: atB, collection, docs: docsOf('b') }),
  ])
}

async function agree({ name, atA, atB }: Link, timeoutMs: number): Promise<void> {
  for (const [device, at] of [
    [a, atA],
    [b, atB],
    [a, atA],
  ] as const)
    await device.call('caughtUp', { at, timeoutMs })
  const [rowsA, rowsB] = [await a.rows(atA, collection), await b.rows(atB, collection)]
  assert.is(rowsA.size, 2 * writes, name)
  for (const doc of [...docsOf('a'), ...docsOf('b')]) assert.equal(rowsA.get(doc.id), doc, name)
  assert.equal(rowsB, rowsA, name)
}

async function said(device: DeviceProcess, at: string): Promise<Said> {
  const { sync, why } = await device.call('status', { at })
  return { state: sync?.state, why }
}

/** Waits until both devices say so. */
async function bothSay({ name, atA, atB }: Link, state: SyncStatus['state'], why: RegExp): Promise<void> {
  const says = async (device: DeviceProcess, at: string): Promise<void> => {
    const endMs = performance.now() + tellMsMax
    for (;;) {
      const now = await said(device, at)
      if (now.state === state && why.test(now.why)) return
      if (performance.now() > endMs)
        assert.unreachable(`${name}: expected ${state}, got ${JSON.stringify(now)}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  await Promise.all([says(a, atA), says(b, atB)])
}

/** A fault that only slows down: they agree while it holds, and say before that they are at it. */
const slow = async (link: Link): Promise<void> => {
  const syncing = bothSay(link, 'syncing', /about \d+ changes to send/)
  await Promise.all([write(link), syncing])
  await agree(link, liveMsMax)
}

const unconfirmed = async (link: Link): Promise<void> => {
  await write(link)
  await bothSay(link, 'stale', /the link to .* is open, but it confirms nothing/)
}

const faults: readonly Fault[] = [
  { what: 'latency with jitter', faults: { latencyMs: 300, jitterMs: 200 }, meanwhile: slow, healMsMax: 0 },
  { what: 'a narrow line', faults: { rate: 20_000 }, meanwhile: slow, healMsMax: 0 },
  { what: 'lost segments', faults: { loss: 0.1, latencyMs: 250 }, meanwhile: slow, healMsMax: 0 },
  {
    what: 'slices of 7 bytes',
    faults: { slice: 7, latencyMs: 250 },
    meanwhile: slow,
    healMsMax: 0,
  },
  {
    what: 'resets in the middle of a message',
    faults: { resetAfter: 12_000 },
    meanwhile: async (link) => {
      link.proxy.reset()
      await write(link)
      const endMs = performance.now() + tellMsMax
      while (link.proxy.counts.resets < 6 && performance.now() < endMs)
        await new Promise((resolve) => setTimeout(resolve, 20))
    },
    healMsMax: liveMsMax,
    after: ({ proxy }) => assert.ok(proxy.counts.resets >= 6, `${proxy.counts.resets} resets`),
  },
  {
    what: 'a door that refuses',
    faults: { refuse: true },
    meanwhile: async (link) => {
      link.proxy.reset()
      await write(link)
      await bothSay(link, 'offline', /cannot be reached after \d+ attempts .*local writes are kept/)
    },
    healMsMax: liveMsMax,
  },
  {
    what: 'a cable that is put back in',
    faults: { hold: true },
    meanwhile: unconfirmed,
    healMsMax: liveMsMax,
  },
  { what: 'half-open links', faults: { halfOpen: true }, meanwhile: unconfirmed, healMsMax: deadMsMax },
  {
    what: 'links on which devices only send',
    faults: { oneWay: 'up' },
    meanwhile: unconfirmed,
    healMsMax: deadMsMax,
  },
  {
    what: 'links on which devices only hear',
    faults: { oneWay: 'down' },
    meanwhile: unconfirmed,
    healMsMax: deadMsMax,
  },
]

const runs = new Map<string, Promise<number>>()

/** Resolves with the milliseconds between the end of the fault and agreement. */
async function suffer(fault: Fault, at: number): Promise<number> {
  const link = await share(at)
  link.proxy.set(fault.faults)
  await fault.meanwhile(link)
  link.proxy.clear()
  const startMs = performance.now()
  await agree(link, fault.healMsMax || liveMsMax)
  fault.after?.(link)
  return Math.round(performance.now() - startMs)
}

test.before(async () => {
  supervisor = await SupervisorProcess.start(stage)
  for (const [at, fault] of faults.entries()) {
    const run = suffer(fault, at)
    // Heard by its test.
    run.catch(() => undefined)
    runs.set(fault.what, run)
  }
})
test.after(() => stage.close())

for (const { what, healMsMax } of faults) {
  test(`${what}: both devices say what is wrong and have everything ${healMsMax === 0 ? 'meanwhile' : 'soon after'}`, async () => {
    const tookMs = await runs.get(what)
    console.log(`${what}: agreement ${tookMs} ms after its end`)
  })
}

test('the supervisor is healthy after all of it', async () => {
  assert.equal(await supervisor.healthz(), { status: 200, ok: true })
})

test.run()
