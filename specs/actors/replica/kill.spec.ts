/** A real process killed with -9 under write load: nothing acknowledged is lost, and the store opens clean every time. */
import { rmSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createNodeEnv } from '../../../runtime/index.ts'
import { judge, killedStore, temporaryDirectory } from './killed-store.ts'

const KILLS = 3

test(`${KILLS} kills under load lose nothing that was acknowledged`, async () => {
  const at = temporaryDirectory()
  const env = createNodeEnv()
  const acknowledged: number[] = []
  for (let round = 1; round <= KILLS; round += 1) {
    const writes = 50 + Math.floor(env.random() * 400)
    console.log(`kill ${round} after ${writes} acknowledged writes`)
    const store = await killedStore(at, writes)
    assert.is(store.failed, undefined)
    acknowledged.push(...store.acknowledged)

    assert.is(await judge({ ...store, acknowledged }), 'whole')
  }
  rmSync(at, { recursive: true })
})

test.run()
