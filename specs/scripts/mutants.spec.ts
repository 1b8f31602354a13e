/** The patches of the mutation check fit the tree as it is, change something, and are enough of them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mutantNames, mutantPatch } from '../../scripts/long/mutants.ts'
import { longRoot } from '../../scripts/long/long-lane.ts'
import { patched, reasonToSurvive } from '../../scripts/mutants/apply.ts'

const mutantsMin = 20
/** Those that REPLICATION marks: without them data was seen to be lost. */
const marked = ['rule-04', 'rule-08', 'rule-12', 'rule-14', 'rule-15', 'rule-21']

test('there are enough mutants, and each rule that is marked is removed by one', () => {
  const names = mutantNames()
  assert.ok(names.length >= mutantsMin, `${names.length}`)
  for (const rule of marked)
    assert.ok(
      names.some((name) => name.startsWith(rule)),
      rule,
    )
})

test('each patch fits the tree and changes what it names', () => {
  const problems: string[] = []
  for (const name of mutantNames()) {
    try {
      for (const { path, before, after } of patched(mutantPatch(name), longRoot)) {
        assert.match(path, /^(actors|runtime|server)\//)
        assert.is.not(after, before)
      }
    } catch (error) {
      problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  assert.equal(problems, [])
})

test('a patch that the campaign cannot find says why; of the others nothing is said', () => {
  const excused = mutantNames().filter((name) => reasonToSurvive(mutantPatch(name)) !== '')

  assert.equal(excused, ['rule-08-a-vector-kills.patch'])
})

test('a patch that does not fit is told from one that does', () => {
  const lost = mutantPatch(mutantNames()[0] ?? '').replace(/\n-(?!--)/, '\n-lost ')

  assert.throws(() => patched(lost, longRoot), /hunk 1 of .* fits 0 places/)
})

test.run()
