/** What ties a channel to the TLS session below it, and what `channelBinding=none` gives up: it takes both ends to say so. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Link } from '../../../transports/index.ts'
import { codes, createWorld, pairing, shake, tampered } from './channel-world.ts'

const session = new Uint8Array(32).fill(1)
const other = new Uint8Array(32).fill(2)

/** How both ends of a handshake end, over links that name these TLS sessions. */
async function ends(o: {
  readonly sessions: readonly [Uint8Array, Uint8Array]
  readonly bound: readonly [boolean, boolean]
  readonly paired: boolean
}): Promise<string[]> {
  const world = createWorld()
  const [near, far] = await world.link()
  const named = (link: Link, binding: Uint8Array): Link => ({
    ...tampered(link, (record) => record),
    binding,
  })
  const dial = o.paired ? pairing(world.app) : {}
  return codes(
    await shake(
      world,
      [named(near, o.sessions[0]), named(far, o.sessions[1])],
      { ...dial, bound: o.bound[0] },
      { bound: o.bound[1] },
    ),
  )
}

for (const paired of [false, true]) {
  const pattern = paired ? 'XXpsk3' : 'XK'

  test(`${pattern}: one TLS session is accepted, two are refused, unless both ends do without binding`, async () => {
    assert.equal(await ends({ sessions: [session, session], bound: [true, true], paired }), ['ok', 'ok'])
    const two = await ends({ sessions: [session, other], bound: [true, true], paired })
    assert.not.ok(two.includes('ok'), two.join())
    assert.equal(await ends({ sessions: [session, other], bound: [false, false], paired }), ['ok', 'ok'])
  })

  test(`${pattern}: an end that does without binding and one that does not refuse each other`, async () => {
    for (const bound of [
      [true, false],
      [false, true],
    ] as const) {
      const codesOfBoth = await ends({ sessions: [session, session], bound, paired })
      assert.not.ok(codesOfBoth.includes('ok'), codesOfBoth.join())
    }
  })
}

test.run()
