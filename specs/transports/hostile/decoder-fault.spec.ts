// time limit: 60 s
/** A bug of ours that a peer's bytes reach costs that peer its connection, and nobody else anything; nothing of it goes out. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeCrypto } from '../../../runtime/index.ts'
import type { BlazeError } from '../../../runtime/index.ts'
import { dialChannel, frameType } from '../../../transports/index.ts'
import { FRAME_HEADER_BYTES, layFrame } from '../../../transports/channel/frame.ts'
import { Forgery } from '../../process/next-door-offence.ts'
import { codeOf } from '../../server/world.ts'
import { HostileWorld } from './hostile-world.ts'

const MARK = new TextEncoder().encode('planted bug')
const world = new HostileWorld()
test.before(() => world.open())
test.after(() => world.close())

test('in the handshake, while a verify is read', async () => {
  await world.attack(3, async () => {
    for (let n = 0; n < 3; n++) {
      const { device } = world.xk()
      const publicKey = Uint8Array.from([...MARK, ...device.publicKey.slice(MARK.length)])
      const lying = { publicKey, sign: (message: Uint8Array) => device.sign(message) }
      const code = await codeOf(dialChannel(await world.dial(), { ...world.xk(), device: lying }))
      assert.ok(['LINK_CLOSED', 'HANDSHAKE_FAILED'].includes(code), code)
    }
  })
})

test('in an open channel, while a record is read', async () => {
  const ends: (BlazeError | undefined)[] = []
  await world.attack(3, async () => {
    for (let n = 0; n < 3; n++) {
      const forgery = new Forgery(nodeCrypto)
      const { channel } = await dialChannel(await world.dial(), { ...world.xk(), crypto: forgery.crypto })
      const closed = new Promise<BlazeError | undefined>((resolve) =>
        channel.attach({ message: () => undefined, writable: () => undefined, closed: resolve }),
      )
      const frame = new Uint8Array(FRAME_HEADER_BYTES + MARK.length)
      layFrame(frame, 0, { type: frameType.request, more: false, stream: 0 }, MARK)
      forgery.send({ channel } as Parameters<Forgery['send']>[0], frame)
      channel.flush()
      ends.push(await closed)
    }
  })
  for (const end of ends) {
    assert.ok(end !== undefined)
    assert.not.match(String(end?.message), 'planted bug')
  }
})

test.run()
