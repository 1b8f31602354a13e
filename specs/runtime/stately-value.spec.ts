/** The values of states that the exporter sends, compared with those of XState itself. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createActor } from 'xstate'
import { machine } from '../../runtime/index.ts'
import type { DoorEvent } from './stately-world.ts'
import { door, exported, house } from './stately-world.ts'
import { createWorld } from './world.ts'

test('values of states are those of XState, also in regions and under names with dots', async () => {
  for (const definition of [door, house]) {
    const { system, settle } = createWorld()
    const { events } = exported(system)
    const actor = createActor(definition).start()
    const behaviour = machine<DoorEvent>({ kind: 'x', definition })
    const cell = system.spawn({ name: 'a', behaviour })
    const latest = (): unknown => events.findLast((event) => 'snapshot' in event)?.snapshot.value
    assert.equal(events.find(({ sessionId }) => sessionId === 'blazedb:1')?.type, '@xstate.actor')
    assert.equal(latest(), actor.getSnapshot().value)

    for (const type of ['open', 'push', 'burn', 'leave'] as const) {
      if (definition === door && type === 'burn') continue
      actor.send({ type })
      cell.tell({ type })
      await settle()
      assert.equal(latest(), actor.getSnapshot().value)
    }
    const late = exported(system).events
    assert.equal(late.findLast((event) => 'snapshot' in event)?.snapshot.value, actor.getSnapshot().value)
    actor.stop()
  }
})

test.run()
