// time limit: 180 s
/** The guide to the database keeps its word: its blocks of code are one program that prints what stands behind its lines. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { guideProgram } from './guide-program.ts'

const guide = guideProgram('database.md', 'blazedb', 'actors/index.ts')

test('the blocks of code in the guide run as one program and print what their comments say', async () => {
  assert.ok(guide.promised.length >= 15, 'lines that print were found')
  assert.not(guide.promised.includes(undefined), 'every line that prints says what')

  const { stdout, stderr } = await guide.run()

  assert.equal(stdout.trimEnd().split('\n'), guide.promised)
  assert.is(stderr, '')
})

test('the program of the guide passes the type checker, which would find a mistake in it', async () => {
  const found = await guide.checkTypes("void bugs.query().where('votes', '~', 1)")

  assert.equal(
    found.filter((line) => !line.startsWith('mistake.ts')),
    [],
  )
  assert.is(found.length, 1)
})

test('the guide stays within 300 lines', () => {
  assert.ok(guide.text.split('\n').length <= 301)
})

test.run()
