/** Sockets that are no link yet: so many an address, so many in all, and the oldest goes for the newest. */
import { EventEmitter } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/index.ts'
import { Strangers } from '../../transports/strangers.ts'
import type { Refusal } from '../../transports/transport.ts'

interface Stage {
  readonly strangers: Strangers
  readonly refused: Refusal[]
  /** Numbers of the sockets that were destroyed. */
  readonly destroyed: number[]
  readonly come: (address: string) => EventEmitter
}

function opened(): Stage {
  const refused: Refusal[] = []
  const destroyed: number[] = []
  const strangers = new Strangers((refusal) => refused.push(refusal))
  let count = 0
  return {
    strangers,
    refused,
    destroyed,
    come(address) {
      const number = count++
      const socket = Object.assign(new EventEmitter(), {
        remoteAddress: address,
        destroy() {
          destroyed.push(number)
          socket.emit('close')
        },
      })
      strangers.add(socket as never)
      return socket
    },
  }
}

const ADDRESS = '192.0.2.1'

test('128 sockets of an address stay, one more takes the place of its oldest, told as BUSY, and of nobody else', () => {
  const { refused, destroyed, come } = opened()
  come('192.0.2.2')
  for (let n = 0; n < limits.strangersPerAddressMax; n++) come(ADDRESS)
  assert.equal(destroyed, [])

  come(ADDRESS)
  assert.equal(destroyed, [1])
  assert.equal(
    refused.map(({ remote, code }) => [remote, code]),
    [[ADDRESS, 'BUSY']],
  )
  come(ADDRESS)
  assert.equal(destroyed, [1, 2])
})

test('whoever may choose among the addresses of one line under IPv6 has the places of one address', () => {
  const { destroyed, come } = opened()
  for (let n = 0; n < limits.strangersPerAddressMax; n++) come(`2001:db8:1:2::${n.toString(16)}`)
  come('2001:db8:1:3::1')
  assert.equal(destroyed, [])

  come('2001:db8:1:2:ffff::1')
  assert.equal(destroyed, [0])
})

test('1,024 sockets of all addresses stay, one more takes the place of the oldest of all', () => {
  const { refused, destroyed, come } = opened()
  for (let n = 0; n < limits.strangersMax; n++) come(`192.0.2.${n % 250}`)
  assert.equal(destroyed, [])

  come('198.51.100.1')
  assert.equal(destroyed, [0])
  assert.equal(
    refused.map(({ remote }) => remote),
    ['192.0.2.0'],
  )
})

test('who has become a link, or is gone, makes room', () => {
  const { strangers, destroyed, come } = opened()
  const [linked, gone] = [come(ADDRESS), come(ADDRESS)]
  for (let n = 2; n < limits.strangersPerAddressMax; n++) come(ADDRESS)

  strangers.remove(linked as never)
  strangers.remove(linked as never)
  gone.emit('close')
  come(ADDRESS)
  come(ADDRESS)
  assert.equal(destroyed, [])
  come(ADDRESS)
  assert.equal(destroyed, [2])
})

test.run()
