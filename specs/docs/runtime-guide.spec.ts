// time limit: 180 s
/** The guide to the runtime keeps its word: its blocks of code are one program, type-checked as strictly as this project, that prints what stands behind its lines. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { root } from './document.ts'
import { guideProgram, testGuide } from './guide-program.ts'

const guide = guideProgram('runtime.md', 'blazedb/runtime', 'runtime/index.ts')

testGuide(guide, "counter.tell({ type: 'subtract', by: 1 })", /"subtract"/)

test('the guide begins with a supervised counter of at most 20 lines, which is the example', () => {
  const [first] = guide.blocks
  const example = readFileSync(join(root, 'examples', 'supervised-counter.ts'), 'utf8')
  const program = example
    .replace(/^\/\*\*[\s\S]*?\*\/\n/, '')
    .replace("// In your own project: from 'blazedb/runtime'.\n", '')
    .replace('// oxlint-disable-next-line no-console\n', '')
    .replace("'../runtime/index.ts'", "'blazedb/runtime'")

  assert.is(first, program)
  assert.ok(program.trimEnd().split('\n').length <= 20)
})

test('the guide names every strategy, restart kind and end of an ask', () => {
  for (const word of ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'])
    assert.match(guide.text, new RegExp(`^\\| \`${word}\``, 'm'))
  for (const word of ['permanent', 'transient', 'temporary'])
    assert.match(guide.text, new RegExp(`^\\| \`${word}\``, 'm'))
  for (const code of ['ASK_TIMEOUT', 'CELL_DOWN', 'OVERLOADED']) assert.match(guide.text, `\`${code}\``)
})

test.run()
