/**
 * A counter that survives what it cannot handle: the first program of docs/runtime.md, to run and to change.
 *
 * Invariant: it ends by itself, and prints 1.
 */
// In your own project: from 'blazedb/runtime'.
import { createNodeEnv, createSystem, reducer } from '../runtime/index.ts'

type Message = { type: 'add'; by: number } | { type: 'read'; reply: (count: number) => void }

const behaviour = reducer<number, Message>({
  kind: 'counter',
  init: () => 0,
  receive(count, message) {
    if (message.type === 'add' && Number.isNaN(message.by)) throw new Error('not a number')
    if (message.type === 'read') message.reply(count)
    return message.type === 'add' ? count + message.by : count
  },
})
const system = createSystem({ env: createNodeEnv() })
const counter = system.spawn({ name: 'counter', behaviour })
counter.tell({ type: 'add', by: 2 })
counter.tell({ type: 'add', by: Number.NaN }) // Crashes: the next life begins at 0.
counter.tell({ type: 'add', by: 1 }) // Waits in the mailbox until then.
// oxlint-disable-next-line no-console
console.log(await counter.ask<number>((reply) => ({ type: 'read', reply }), 1_000)) // 1
await system.stop()
