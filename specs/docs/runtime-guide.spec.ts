// time limit: 180 s
/** The guide to the runtime keeps its word: its blocks of code are one program, type-checked as strictly as this project, that prints what stands behind its lines. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { codeBlocks, root } from './document.ts'

const guide = readFileSync(join(root, 'docs', 'runtime.md'), 'utf8')
const blocks = codeBlocks(guide).filter(({ language }) => language === 'ts')
const programMsMax = 60_000

test('the blocks of code in the guide run as one program and print what their comments say', async () => {
  const lines = blocks.flatMap(({ code }) => code.split('\n')).filter((line) => line.includes('console.log('))
  const promised = lines.map((line) => / \/\/ (.+)$/.exec(line)?.[1])
  assert.ok(lines.length >= 15, 'lines that print were found')
  assert.not(promised.includes(undefined), 'every line that prints says what')

  const { stdout, stderr } = await inProgram((path) =>
    outputOf(process.execPath, ['--import', import.meta.resolve('tsx'), path], dirname(path)),
  )

  assert.equal(stdout.trimEnd().split('\n'), promised)
  assert.is(stderr, '')
})

test('the program of the guide passes the type checker, which would find a mistake in it', async () => {
  const found = await inProgram(checkTypes)

  assert.equal(
    found.filter((line) => !line.startsWith('mistake.ts')),
    [],
  )
  assert.is(found.length, 1)
  assert.match(found[0] ?? '', /"subtract"/)
})

test('the guide begins with a supervised counter of at most 20 lines, which is the example', () => {
  const [first] = blocks
  const example = readFileSync(join(root, 'examples', 'supervised-counter.ts'), 'utf8')
  const program = example
    .replace(/^\/\*\*[\s\S]*?\*\/\n/, '')
    .replace("// In your own project: from 'blazedb/runtime'.\n", '')
    .replace('// oxlint-disable-next-line no-console\n', '')
    .replace("'../runtime/index.ts'", "'blazedb/runtime'")

  assert.is(first?.code, program)
  assert.ok(program.trimEnd().split('\n').length <= 20)
})

test('the guide names every strategy, restart kind and end of an ask, and stays within 300 lines', () => {
  for (const word of ['one_for_one', 'one_for_all', 'rest_for_one', 'dynamic'])
    assert.match(guide, new RegExp(`^\\| \`${word}\``, 'm'))
  for (const word of ['permanent', 'transient', 'temporary'])
    assert.match(guide, new RegExp(`^\\| \`${word}\``, 'm'))
  for (const code of ['ASK_TIMEOUT', 'CELL_DOWN', 'OVERLOADED']) assert.match(guide, `\`${code}\``)
  assert.ok(guide.split('\n').length <= 301)
})

/** Calls `use` with the path of the program, in a project of its own that has the packages of this one. */
async function inProgram<T>(use: (path: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-runtime-guide-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
    // Only the name of the package is replaced: here nothing is built or installed.
    const door = JSON.stringify(join(root, 'runtime', 'index.ts'))
    const program = blocks.map(({ code }) => code).join('\n')
    const path = join(directory, 'guide.ts')
    writeFileSync(path, program.replaceAll("'blazedb/runtime'", door))
    return await use(path)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** The errors that the type checker finds in the program, and in the same with a mistake at its end. */
async function checkTypes(path: string): Promise<string[]> {
  const directory = dirname(path)
  const program = readFileSync(path, 'utf8')
  writeFileSync(join(directory, 'mistake.ts'), `${program}\ncounter.tell({ type: 'subtract', by: 1 })\n`)
  const compilerOptions = { isolatedDeclarations: false, declaration: false }
  const project = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }
  writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(project))
  const { stdout } = await outputOf(
    join(root, 'node_modules', '.bin', 'tsc'),
    ['--project', directory],
    directory,
  )
  return stdout.split('\n').filter((line) => line.includes('error TS'))
}

/** Also of a command that fails. */
function outputOf(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve) =>
    execFile(command, args, { cwd, timeout: programMsMax }, (_error, stdout, stderr) =>
      resolve({ stdout, stderr }),
    ),
  )
}

test.run()
