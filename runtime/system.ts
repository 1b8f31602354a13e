/** A tree of cells with one scheduler, one tap and one ring of dead letters. Many systems live in one process without touching. */
import type { ChildSpec, Ref } from './behaviour.ts'
import { Cell } from './cell/cell.ts'
import type { DeadLetters } from './cell/dead-letter.ts'
import { DeadLetterRing } from './cell/dead-letter.ts'
import { Deadlines } from './cell/deadline.ts'
import type { Env, Log } from './env.ts'
import { BlazeError } from './errors.ts'
import type { Groups } from './group.ts'
import { GroupTable } from './group.ts'
import type { Kernel } from './cell/kernel.ts'
import type { Member } from './supervision/member.ts'
import type { Quarantine } from './cell/quarantine.ts'
import { QuarantineRing } from './cell/quarantine.ts'
import type { Registry } from './registry.ts'
import { NameTable } from './registry.ts'
import { Scheduler } from './cell/scheduler.ts'
import type { CellInfo } from './tap.ts'
import { Tap } from './tap.ts'

export interface System {
  readonly env: Env
  readonly name: string
  readonly tap: Tap
  readonly deadLetters: DeadLetters
  /** Messages on which cells crashed. */
  readonly quarantine: Quarantine
  readonly registry: Registry
  readonly groups: Groups
  /**
   * Starts a child of the root. A child that crashes too often stays in the tree, stopped, with an event and a log line;
   * its siblings go on. Throws `NAME_TAKEN`, `TypeError` for a bad spec, or `CLOSED` after `stop`.
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
  const deadlines = new Deadlines(env)
  const kernel: Kernel = {
    env,
    log: guarded(env.log),
    startedAt: env.now(),
    scheduler: new Scheduler(env, deadlines),
    deadlines,
    tap: new Tap(env),
    deadLetters: new DeadLetterRing(),
    quarantine: new QuarantineRing(),
    registry: new NameTable((ref) => ref instanceof Cell && ref.kernel === kernel),
    groups: new GroupTable(),
    turn: { cell: undefined, running: undefined, mail: undefined, aside: false },
    nextId: () => ++lastId,
  }
  const root = new Cell<never>(kernel, undefined, {
    name,
    behaviour: { kind: 'root', start: () => ({ receive() {} }) },
  })
  root.begin()
  return {
    env,
    name,
    tap: kernel.tap,
    deadLetters: kernel.deadLetters,
    quarantine: kernel.quarantine,
    registry: kernel.registry,
    groups: kernel.groups,
    spawn(spec) {
      if (!root.alive) throw new BlazeError('CLOSED', `the system ${name} is stopped`)
      return root.spawnChild(spec)
    },
    tree() {
      const infos: CellInfo[] = []
      const visit = (cell: Member): void => {
        infos.push(cell.info())
        for (const child of cell.children) visit(child)
      }
      for (const child of root.children) visit(child)
      return infos
    },
    stop: () => root.stop(),
  }
}

function guarded(log: Log): Log {
  const quietly =
    (level: keyof Log) =>
    (event: string, details?: object): void => {
      try {
        log[level](event, details)
      } catch {
        // There is no other place to say it, and the system goes on.
      }
    }
  return { debug: quietly('debug'), info: quietly('info'), warn: quietly('warn'), error: quietly('error') }
}
