/** What a group tells about the databases that are shared in it. */
import { chmodSync, copyFileSync, readdirSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { SharedDatabase } from '../../../../actors/topology/group/index.ts'
import { withPlace } from './group-world.ts'

const bugs: SharedDatabase = {
  database: 'bugs',
  app: 'tracker',
  space: '0123456789abcdef0123456789abcdef',
  pid: 4711,
  policy: 'fedcba9876543210fedcba9876543210',
  grants: { dashboard: 'readOnly', tools: 'readWrite' },
}
const people: SharedDatabase = { ...bugs, database: '../pëople', grants: undefined }

test(
  'what is published is listed until it is withdrawn, for every process',
  withPlace(async (place) => {
    const host = await place.open()
    const guest = await place.open()

    assert.equal(await guest.databases(), [])
    await host.publish(bugs)
    await host.publish(people)
    const listed = await guest.databases()
    assert.equal(
      listed.find(({ database }) => database === 'bugs'),
      bugs,
    )
    assert.equal(
      listed.find(({ database }) => database === '../pëople'),
      people,
    )
    assert.is(listed.length, 2)

    await host.publish({ ...bugs, pid: 4712 })
    await host.withdraw('../pëople')
    await host.withdraw('never published')
    assert.equal(await guest.databases(), [{ ...bugs, pid: 4712 }])
  }),
)

test(
  'an entry that does not read, or lies under the name of another, is left out',
  withPlace(async (place) => {
    const group = await place.open()
    await group.publish(bugs)
    const [name = ''] = readdirSync(place.at('databases'))
    const good = JSON.parse(place.text(`databases/${name}`)) as Record<string, unknown>
    copyFileSync(place.at(`databases/${name}`), place.at(`databases/${'0'.repeat(32)}.json`))
    place.write('databases/notes.txt', 'x')

    assert.equal(await group.databases(), [bugs])
    for (const change of [
      { version: 2 },
      { database: 7 },
      { app: null },
      { space: 'abc' },
      { policy: 'x'.repeat(32) },
      { pid: '1' },
      { grants: [] },
      { grants: { dashboard: 'all' } },
      { grants: undefined },
    ]) {
      place.write(`databases/${name}`, JSON.stringify({ ...good, ...change }))
      assert.equal(await group.databases(), [], JSON.stringify(change))
    }
    place.write(`databases/${name}`, '{')
    assert.equal(await group.databases(), [])
    await group.publish(bugs)
    assert.equal(await group.databases(), [bugs])
    chmodSync(place.at(`databases/${name}`), 0o644)
    assert.equal(await group.databases(), [])
  }),
)

test.run()
