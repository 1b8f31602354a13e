/** The order in which endpoints are tried, and when another one is tried beside the one in use. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { Route } from '../../../actors/connection/route.ts'
import { BlazeError } from '../../../runtime/index.ts'

const endpoints = ['a', 'b', 'c'].map((host) => ({ transport: 'memory', host, port: 1 }) as const)
const [a, b, c] = endpoints
const unreachable = new BlazeError('UNREACHABLE', 'no')
const strange = new BlazeError('SERVER_KEY_MISMATCH', 'no')

function hosts(route: Route, failures: number): string[] {
  const seen: string[] = []
  for (let step = 0; step < failures; step++) {
    const { current } = route
    if (current.transport === 'memory') seen.push(current.host)
    route.failed(unreachable)
  }
  return seen
}

test('endpoints come in order of preference, each once before any comes again', () => {
  assert.equal(hosts(new Route(endpoints), 7), ['a', 'b', 'c', 'a', 'b', 'c', 'a'])
})

test('the one that worked last comes first, then the others by preference', () => {
  const route = new Route(endpoints)
  hosts(route, 2)
  route.succeeded(route.current)

  assert.equal(hosts(route, 6), ['c', 'a', 'b', 'c', 'a', 'b'])
})

test('what is better is what is preferred to the present one; the first has none', () => {
  const route = new Route(endpoints)
  assert.is(route.better(), undefined)
  hosts(route, 2)
  route.succeeded(route.current)

  assert.equal([route.better(), route.better(), route.better()], [a, b, a])
})

test('what is other is every one but the present one; a single endpoint has none', () => {
  const route = new Route(endpoints)
  assert.equal([route.other(), route.other(), route.other()], [b, c, b])
  assert.is(new Route([endpoints[0] ?? { transport: 'memory', host: 'a', port: 1 }]).other(), undefined)
})

test('another key at one address leaves the others to be tried, until all have another key', () => {
  const route = new Route(endpoints)

  assert.is(route.failed(strange), true)
  assert.is(route.failed(unreachable), false, 'nothing to decide')
  assert.is(route.failed(strange), true)
  assert.is(route.failed(strange), true, 'the first again')
  assert.is(route.failed(strange), false, 'now all three')
})

test('TLS and WebSocket of one host are one address: another key there is final, whatever local socket is not there', () => {
  const pi = { host: 'pi', port: 8080 }
  const route = new Route([
    { transport: 'uds', directory: '/run/here', name: 'pi' },
    { transport: 'tls', ...pi },
    { transport: 'wss', ...pi },
  ])
  assert.is(route.failed(unreachable), false)

  assert.is(route.failed(strange), false)
})

test('another key on a local socket leaves the network to be tried', () => {
  const local = { transport: 'uds', directory: '/run/here', name: 'pi' } as const
  assert.is(new Route([local, { transport: 'tls', host: 'pi', port: 8080 }]).failed(strange), true)
  assert.is(new Route([local]).failed(strange), false)
})

test('an address at which the supervisor answers after all is strange no more', () => {
  const route = new Route(endpoints.slice(0, 2))
  route.failed(strange)
  if (a !== undefined) route.succeeded(a)
  route.failed(unreachable)

  assert.is(route.failed(strange), true)
  assert.ok(c)
})

test('without an endpoint there is no route', () => {
  assert.throws(() => new Route([]), TypeError)
})

test.run()
