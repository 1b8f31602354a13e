/** When a dialling connection gives up: what retrying does not heal may show itself at the dial, and long after the handshake. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { dialedMachine } from '../../../actors/connection/machine.ts'
import { BlazeError } from '../../../runtime/index.ts'
import { pathOf } from '../../fixtures/visit-path.ts'
import { ConnectionWorld, lastOf, OpenAccess, PI } from './connection-world.ts'

test('a transport that cannot be had here refuses the connection at its first dial', async () => {
  const world = new ConnectionWorld(1)
  const a = await world.member('a')
  let dials = 0
  const dialed = world.dial(a, {
    transport: {
      ...world.network.transport('a'),
      dial() {
        dials += 1
        return Promise.reject(new BlazeError('NOT_SUPPORTED', 'no such transport on this system'))
      },
    },
  })
  await world.simulation.pass(60_000)

  assert.is(lastOf(dialed).state, 'refused')
  assert.is(lastOf(dialed).error?.code, 'NOT_SUPPORTED')
  assert.is(dials, 1)
})

test('a supervisor that hangs up in the handshake is dialled again', async () => {
  const world = new ConnectionWorld(3)
  const a = await world.member('a')
  const pi = world.network.transport('pi')
  await pi.listen(PI, (link) => link.destroy())
  const dialed = world.dial(a)
  await world.simulation.pass(10_000)

  assert.equal(
    new Set(dialed.reports.map(({ state }) => state)),
    new Set(['connecting', 'handshake', 'failover']),
  )
  assert.ok(world.dials > 2)
})

test('a right that is withdrawn while the connection syncs refuses it, and nothing is dialled again', async () => {
  const world = new ConnectionWorld(2)
  const [pi, a] = [await world.member('pi'), await world.member('a')]
  await world.listen(new OpenAccess(pi.space))
  const dialed = world.dial(a)
  await world.rest()
  assert.is(lastOf(dialed).state, 'syncing')

  dialed.ref?.tell({ type: 'dialed.failed', attempt: 1, error: new BlazeError('FORBIDDEN', 'no more') })
  await world.simulation.pass(60_000)

  assert.is(lastOf(dialed).state, 'refused')
  assert.is(world.dials, 1)
})

test('a refused connection stays refused, whatever is told late, until it is drained', () => {
  const late = ['connection.retry', 'connection.dialed', 'connection.secured', 'connection.failed']

  const path = pathOf(dialedMachine, 'connection.refused', ...late, 'connection.drain')

  assert.equal(path, ['connecting', 'refused', 'refused', 'refused', 'refused', 'refused', 'draining'])
})

test.run()
