/** A guest that is killed -9 right after the answer, with a record that no host will ever send it. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { collection, Street } from './next-door-app.ts'

const streets: Street[] = []

test.after.each(async () => {
  for (const street of streets.splice(0)) await street.close()
})

test('what a guest inserted outside its filter is there when the guest is killed as soon as it was acknowledged', async () => {
  const street = new Street('next-door-own-spec')
  streets.push(street)
  await street.host({})
  const guest = await street.guest()

  const doc = { id: 'out', status: 'closed' }
  await guest.call('insertAndKill', { collection, doc, pid: guest.pid }).catch(() => undefined)
  await guest.gone()
  const again = await street.guest({ name: 'again' })
  const found = await again.call('get', { collection, id: 'out' })

  assert.equal(found, doc)
})

test.run()
