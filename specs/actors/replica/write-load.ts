/**
 * The child of kill.spec.ts: writes without pause into the store at argv[2] and prints the number of each acknowledged write.
 * Invariant: a number is printed only after its write was acknowledged; write n is on its own tag and overwrites one in three.
 */
import { writeSync } from 'node:fs'
import { createDirectoryVolume, openReplica } from '../../../actors/replica/index.ts'
import { createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { authority, device, put, spaceId } from './replica-world.ts'
import { tagOfWrite } from './write-plan.ts'

const volume = createDirectoryVolume(process.argv[2] ?? '')
const store = await volume.openStore('replica')
const env = createNodeEnv()
const options = { store, spaceId, env, crypto: nodeCrypto, authority: authority(), own: device(1) }
const replica = await openReplica(options)
let n = replica.lastOwnSeq

/** Batches of several sizes, two at a time. */
async function write(): Promise<void> {
  for (;;) {
    const numbers = Array.from({ length: 1 + Math.floor(env.random() * 40) }, () => (n += 1))
    // One by one, so that an overwrite merges what was staged just before it; they still share a batch.
    const writes = numbers.map((number) => put(replica, tagOfWrite(number), `${number}`))
    await Promise.all(writes)
    writeSync(1, `${numbers.join('\n')}\n`)
  }
}

await Promise.all([write(), write()])
