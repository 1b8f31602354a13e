/**
 * Two nodes that write down every symptom of a fault: one listens and echoes, the other dials, sends a number every few ms, stores rows
 * and looks whether they are still there.
 * Invariant: without faults there is no symptom.
 */
import type { MakeWorld, NodeWorld } from '../../../actors/testing.ts'
import { BlazeError } from '../../../runtime/index.ts'
import type { Link } from '../../../transports/index.ts'

export type Symptom =
  // Of records.
  | 'late'
  | 'gap'
  | 'twice'
  | 'swapped'
  // Of links.
  | 'broken'
  | 'stale'
  // Of nodes and clocks.
  | 'rebooted'
  | 'wall clock off'
  | 'steady clock off'
  // Of disks.
  | 'slow batch'
  | 'failed batch'
  | 'no room'
  | 'torn'
  | 'row lost'
  | 'row changed'

const tickMs = 5
const lateMs = 3
const slowMs = 5
const recordBytes = 500
const endpoint = { transport: 'memory', host: 'echo', port: 1 } as const
const encoder = new TextEncoder()

export function symptomWorld(symptoms: Set<Symptom>): MakeWorld<NodeWorld> {
  return ({ now }) => {
    // What a node must know over its boots is kept here.
    const state = { open: 0, stored: -1 }
    return {
      nodes: ['echo', 'caller'],
      async start(node) {
        if (node.boot > 1) symptoms.add('rebooted')
        if (node.name === 'echo') await listen(node, state)
        else {
          call(node, symptoms, now)
          await write(node, symptoms, state, now)
        }
        return node
      },
      check(nodes) {
        const [one, other] = [...nodes.values()].map(({ env }) => env)
        if (one === undefined || other === undefined) return
        const steady = Math.abs(one.monotonic() - other.monotonic())
        if (steady > 1) symptoms.add('steady clock off')
        else if (Math.abs(one.now() - other.now()) > 2) symptoms.add('wall clock off')
      },
      quiescent: () => true,
      finish() {
        if (state.open > 1) symptoms.add('stale')
      },
    }
  }
}

interface State {
  open: number
  /** Last number that the disk confirmed. */
  stored: number
}

async function listen({ transport }: NodeWorld, state: State): Promise<void> {
  // After a power cut nobody hears that these links are over.
  state.open = 0
  await transport.listen(endpoint, (link) => {
    state.open += 1
    link.attach({
      record: (bytes) => void link.send(bytes),
      drain() {},
      closed: () => {
        state.open -= 1
      },
    })
  })
}

function call(node: NodeWorld, symptoms: Set<Symptom>, now: () => number): void {
  const again = (): void => void node.env.after(4 * tickMs, () => call(node, symptoms, now))
  node.transport
    .dial(endpoint, { timeoutMs: 100 })
    .then((link) => talk(node, link, { symptoms, now, ended: again }), again)
}

interface Talk {
  readonly symptoms: Set<Symptom>
  readonly now: () => number
  readonly ended: () => void
}

function talk({ env }: NodeWorld, link: Link, { symptoms, now, ended }: Talk): void {
  let over = false
  let sent = 0
  let last = -1
  const sentAtMs: number[] = []
  const tick = (): void => {
    if (over) return
    // Two at once: one alone can overtake nothing.
    for (let copies = 2; copies > 0; copies--) {
      sentAtMs.push(now())
      const record = new Uint8Array(recordBytes)
      new DataView(record.buffer).setUint32(0, sent++)
      link.send(record)
    }
    env.after(tickMs, tick)
  }
  link.attach({
    record(bytes) {
      const n = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
      if (now() - (sentAtMs[n] ?? 0) > lateMs) symptoms.add('late')
      if (n === last) symptoms.add('twice')
      else if (n < last) symptoms.add('swapped')
      else if (n > last + 1) symptoms.add('gap')
      last = n
    },
    drain() {},
    closed(error) {
      over = true
      if (error !== undefined) symptoms.add('broken')
      ended()
    },
  })
  tick()
}

/** Each batch writes one number into two rows, then reads what the batch before it wrote. */
async function write(
  { env, volume, exit }: NodeWorld,
  symptoms: Set<Symptom>,
  state: State,
  now: () => number,
): Promise<void> {
  const store = await volume.openStore('s')
  const [one, two] = [encoder.encode('one'), encoder.encode('two')]
  const read = (): (string | undefined)[] => [one, two].map((key) => store.get(key)?.join())
  const bytesOf = (n: number): Uint8Array => encoder.encode(`${n}`.padStart(8))
  const look = (): void => {
    const values = read()
    const expected = bytesOf(state.stored).join()
    if (state.stored < 0 || values.every((value) => value === expected)) return
    if (values.includes(undefined)) symptoms.add('row lost')
    else if (values[0] !== values[1]) symptoms.add('row changed')
  }
  const [before, after] = read()
  if (before !== after && state.stored >= 0) symptoms.add('torn')
  else if (state.stored >= 0) state.stored = Number(new TextDecoder().decode(store.get(one)))

  const next = async (n: number): Promise<void> => {
    look()
    const startMs = now()
    const value = bytesOf(n)
    await store.batch([one, two].map((key) => ({ type: 'put', key, value })))
    state.stored = n
    if (now() - startMs > slowMs) symptoms.add('slow batch')
    await volume.writeFile('file', value)
    env.after(tickMs, () => run(n + 1))
  }
  const run = (n: number): void => {
    next(n).catch((error: unknown) => {
      if (!(error instanceof BlazeError)) throw error
      symptoms.add(error.code === 'DISK_FULL' ? 'no room' : 'failed batch')
      // A program that cannot trust its disk ends; here a little later, for the disk to get room.
      env.after(10 * tickMs, exit)
    })
  }
  run(state.stored + 1)
}
