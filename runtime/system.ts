/** A tree of cells with one scheduler, one tap and one ring of dead letters. Many systems live in one process without touching. */
import type { ChildSpec, Ref } from './behaviour.ts'
import type { Kernel } from './cell.ts'
import { Cell } from './cell.ts'
import type { DeadLetters } from './dead-letter.ts'
import { DeadLetterRing } from './dead-letter.ts'
import type { Env } from './env.ts'
import { BlazeError } from './errors.ts'
import { Scheduler } from './scheduler.ts'
import type { CellInfo } from './tap.ts'
import { Tap } from './tap.ts'

export interface System {
  readonly env: Env
  readonly name: string
  readonly tap: Tap
  readonly deadLetters: DeadLetters
  /**
   * Starts a child of the root. A child that crashes too often stays in the tree, stopped, with an event and a log line;
   * its siblings go on. Throws `NAME_TAKEN`, or `CLOSED` after `stop`.
   */
  spawn<M>(spec: ChildSpec<M>): Ref<M>
  /** Every cell, parents before children, siblings in the order of their start. */
  tree(): CellInfo[]
  /** Stops the children right to left, each within its budget. Idempotent. */
  stop(): Promise<void>
}

export function createSystem(options: { env: Env; name?: string }): System {
  const { env, name = 'blazedb' } = options
  let lastId = -1
  const kernel: Kernel = {
    env,
    scheduler: new Scheduler(env),
    tap: new Tap(env),
    deadLetters: new DeadLetterRing(),
    nextId: () => ++lastId,
  }
  const root = new Cell<never>(kernel, undefined, {
    name,
    behaviour: { kind: 'root', start: () => ({ receive() {} }) },
  })
  root.start()
  return {
    env,
    name,
    tap: kernel.tap,
    deadLetters: kernel.deadLetters,
    spawn(spec) {
      if (!root.alive) throw new BlazeError('CLOSED', `the system ${name} is stopped`)
      return root.spawnChild(spec)
    },
    tree() {
      const infos: CellInfo[] = []
      const visit = (cell: Cell<unknown>): void => {
        infos.push(cell.info())
        for (const child of cell.children) visit(child)
      }
      for (const child of root.children) visit(child)
      return infos
    },
    stop: () => root.stop(),
  }
}
