/** A cell that may fall asleep, and writes down what happens to its lives. */
import type { Context, Ref, TapEvent } from '../../runtime/index.ts'
import { reducer } from '../../runtime/index.ts'
import type { Script, World } from './world.ts'
import { createWorld, infoOf, listen } from './world.ts'

export interface Sleeper extends World {
  readonly cell: Ref<Script>
  /** What happened to its lives: `start`, `stop`, `close`. */
  readonly log: string[]
  readonly events: TapEvent[]
  state: () => string | undefined
}

export function createSleeper(
  passivateAfterMs: number | undefined,
  onStart: (ctx: Context<Script>) => void = () => {},
): Sleeper {
  const world = createWorld()
  const log: string[] = []
  const events = listen(world.system)
  const cell = world.system.spawn({
    name: 'sleeper',
    behaviour: reducer<null, Script>({
      kind: 'sleeper',
      init(ctx) {
        log.push('start')
        ctx.own(() => log.push('close'))
        onStart(ctx)
        return null
      },
      receive(state, script, ctx) {
        script(ctx)
        return state
      },
      stop() {
        log.push('stop')
      },
    }),
    ...(passivateAfterMs === undefined ? {} : { passivateAfterMs }),
  })
  return { ...world, cell, log, events, state: () => infoOf(world.system, cell)?.state }
}
