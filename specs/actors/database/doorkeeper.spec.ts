/** The doorkeeper lets in what comes a second time, and forgets instead of growing. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Doorkeeper } from '../../../actors/database/view/doorkeeper.ts'
import { createChance } from '../../../runtime/index.ts'

const chance = createChance(7)
const makeTag = (): string =>
  String.fromCharCode(...Array.from({ length: 16 }, () => Math.floor(chance() * 256)))

test('a tag is known when it comes a second time', () => {
  const door = new Doorkeeper()
  const tag = makeTag()
  assert.is(door.knows(tag), false)
  assert.is(door.knows(tag), true)
})

test('of many tags that come once, few are taken for known ones, also after it has forgotten', () => {
  const door = new Doorkeeper()
  let known = 0
  for (let n = 0; n < 300_000; n += 1) if (door.knows(makeTag())) known += 1
  assert.ok(known < 300_000 * 0.06, `${known}`)
})

test('what came long ago is forgotten', () => {
  const door = new Doorkeeper()
  const tag = makeTag()
  door.knows(tag)
  for (let n = 0; n < 70_000; n += 1) door.knows(makeTag())
  assert.is(door.knows(tag), false)
})

test.run()
