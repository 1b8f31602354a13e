/**
 * The child of kill.spec.ts and others: writes without pause into the store at argv[2], bodies of argv[3] bytes, and prints the number
 * of each acknowledged write. Ends with code 3 when a write fails, having printed `failed` and the code of the error.
 * Invariant: a number is printed only after its write was acknowledged; write n is on its own tag and overwrites one in three.
 */
import { createDirectoryVolume, openReplica } from '../../../actors/replica/index.ts'
import { createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { say } from '../../fixtures/say.ts'
import { authority, codeOf, device, put, spaceId } from './replica-world.ts'
import { tagOfWrite } from './write-plan.ts'

const [, , at = '', bodyBytes = '0'] = process.argv
const volume = createDirectoryVolume(at)
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
    const writes = numbers.map((number) =>
      put(replica, tagOfWrite(number), `${number}`.padEnd(Number(bodyBytes))),
    )
    await Promise.all(writes)
    say(numbers.join('\n'))
  }
}

try {
  await Promise.all([write(), write()])
} catch (error) {
  say(`failed ${await codeOf(Promise.reject(error))}`)
  process.exit(3)
}
