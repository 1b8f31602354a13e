/** Listeners of one tap: they come and go at any moment, and there is a bound to them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { limits } from '../../runtime/index.ts'
import { Tap } from '../../runtime/tap.ts'
import { createWorld } from './world.ts'

test('a listener that stops another one, or itself, while it is called is obeyed at once', () => {
  const { tap } = createTap()
  const heard: string[] = []
  const stops: (() => void)[] = []
  const stopBoth = (): void => {
    heard.push('first')
    for (const stop of stops) stop()
  }
  stops.push(tap.subscribe(stopBoth))
  stops.push(tap.subscribe(() => heard.push('second')))
  tap.subscribe(() => heard.push('third'))

  tap.emit('event', '/a', 1)
  tap.emit('event', '/a', 1)

  assert.equal(heard, ['first', 'third', 'third'])
})

test('a listener that is added while another one is called hears what happens from then on', () => {
  const { tap } = createTap()
  const heard: unknown[] = []
  tap.define({}, () => ({ hash: 'h', definition: {} }))
  const stop = tap.subscribe(({ details }) => {
    if (details['event'] !== 'a') return
    tap.emit('event', '/a', 1, { event: 'caused before' })
    tap.subscribe((event) => heard.push(event.details['hash'] ?? event.details['event']))
    tap.emit('event', '/a', 1, { event: 'caused after' })
    stop()
  })

  tap.emit('event', '/a', 1, { event: 'a' })
  tap.emit('event', '/a', 1, { event: 'b' })

  assert.equal(heard, ['h', 'caused after', 'b'])
})

test('the same function may listen twice, and each of its subscriptions ends by itself', () => {
  const { tap } = createTap()
  let heard = 0
  const listener = (): void => void heard++
  const stop = tap.subscribe(listener)
  tap.subscribe(listener)

  stop()
  stop()
  tap.emit('event', '/a', 1)

  assert.equal([heard, tap.active], [1, true])
})

test('a tap takes so many listeners and no more', () => {
  const { tap } = createTap()
  for (let i = 0; i < limits.tapListenersMax; i++) tap.subscribe(() => {})

  assert.throws(() => tap.subscribe(() => {}), /OVERLOADED|at most 32 listeners/)
})

test('a listener is shown so many definitions and no more, and the others are counted', () => {
  const { tap } = createTap()
  let shown = 0
  tap.subscribe(() => shown++)

  for (let i = 0; i < limits.tapDefinitionsMax + 3; i++) tap.show({ hash: `${i}`, definition: {} })

  assert.equal([shown, tap.dropped], [limits.tapDefinitionsMax, 3])
})

/** A tap without a system. */
function createTap(): { readonly tap: Tap } {
  return { tap: new Tap(createWorld().simulation.env('node')) }
}

test.run()
