/** What SEMANTICS says is proven by what it names: every quoted spec is the name of one. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { readDocuments, root } from './document.ts'

/** Texts in quotes on lines that name specs; shorter ones are words. */
const QUOTED = /"([^"\n]{20,})"/g
/** Single-quoted and template texts of TypeScript. */
const LITERAL = /'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`/g
const LITERAL_CHARS_MIN = 12
/** Parts of names that a spec fills in. */
const FILLED = /\$\{[^}]*\}/g

/** Names as they stand in spec files; what is filled in is any text. */
function namesOf(text: string): RegExp[] {
  const names: RegExp[] = []
  for (const [, single, template] of text.matchAll(LITERAL)) {
    const name = (single ?? template ?? '').replaceAll("\\'", "'")
    // Little but what is filled in would be any name.
    if (name.replaceAll(FILLED, '').length < LITERAL_CHARS_MIN) continue
    const pattern = name.split(FILLED).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    names.push(new RegExp(`^${pattern.join('.*')}$`, 's'))
  }
  return names
}

const names = readdirSync(join(root, 'specs'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.endsWith('promise.spec.ts'))
  .flatMap((path) => namesOf(readFileSync(join(root, 'specs', path), 'utf8')))

function missing(text: string): string[] {
  const quotes: string[] = []
  for (const line of text.split('\n')) {
    for (const [, quote = ''] of line.matchAll(QUOTED)) {
      // `device cloned: …` stands for all that begin so.
      const [begin = '', rest] = quote.split('…')
      const known = names.some(
        (name) => name.test(quote) || (rest !== undefined && name.source.includes(begin)),
      )
      if (!known) quotes.push(quote)
    }
  }
  return quotes
}

test('every spec that SEMANTICS quotes is there', () => {
  const semantics = readDocuments().find(({ path }) => path === 'SEMANTICS.md')
  assert.ok(semantics !== undefined && names.length > 1_500, 'the document and the specs were found')

  assert.equal(missing(semantics.text), [])
})

test('a quoted spec that is not there would be found', () => {
  assert.equal(missing('- A promise. `x.spec.ts`: "a spec that nobody has ever written"'), [
    'a spec that nobody has ever written',
  ])
})

test.run()
