/** A guide whose blocks of code are one program: runs it and checks its types, in a project of its own that has the packages of this one. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { codeBlocks, root } from './document.ts'

const programMsMax = 60_000

export interface GuideProgram {
  readonly text: string
  /** Of its TypeScript, in order. */
  readonly blocks: readonly string[]
  /** What stands behind the lines that print; undefined where nothing does. */
  readonly promised: readonly (string | undefined)[]
  run(): Promise<{ stdout: string; stderr: string }>
  /** The errors that the type checker finds in the program, and in `mistake.ts`, the same with a mistake at its end. */
  checkTypes(mistake: string): Promise<string[]>
}

/** `imported` is what the guide imports from, `door` the file that it means. */
export function guideProgram(name: string, imported: string, door: string): GuideProgram {
  const text = readFileSync(join(root, 'docs', name), 'utf8')
  const blocks = codeBlocks(text)
    .filter(({ language }) => language === 'ts')
    .map(({ code }) => code)
  const lines = blocks.flatMap((code) => code.split('\n')).filter((line) => line.includes('console.log('))

  /** Calls `use` with the path of the program. */
  const within = async <T>(use: (path: string) => Promise<T>): Promise<T> => {
    const directory = mkdtempSync(join(tmpdir(), 'blazedb-guide-'))
    try {
      symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
      writeFileSync(join(directory, 'package.json'), '{ "type": "module" }')
      const path = join(directory, 'guide.ts')
      // Only the name of the package is replaced: here nothing is built or installed.
      const program = blocks
        .join('\n')
        .replaceAll(`'${imported}'`, JSON.stringify(join(root, ...door.split('/'))))
      writeFileSync(path, program)
      return await use(path)
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  }

  return {
    text,
    blocks,
    promised: lines.map((line) => / \/\/ (.+)$/.exec(line)?.[1]),
    run: () =>
      within((path) =>
        outputOf(process.execPath, ['--import', import.meta.resolve('tsx'), path], dirname(path)),
      ),
    checkTypes: (mistake) =>
      within(async (path) => {
        const directory = dirname(path)
        writeFileSync(join(directory, 'mistake.ts'), `${readFileSync(path, 'utf8')}\n${mistake}\n`)
        const compilerOptions = { isolatedDeclarations: false, declaration: false }
        const project = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] }
        writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(project))
        const compiler = join(root, 'node_modules', '.bin', 'tsc')
        const { stdout } = await outputOf(compiler, ['--project', directory], directory)
        return stdout.split('\n').filter((line) => line.includes('error TS'))
      }),
  }
}

/** What every guide keeps: it runs, its types hold, and somebody may read it in one go. `mistake` ends in an error of `mistakeText`. */
export function testGuide(guide: GuideProgram, mistake: string, mistakeText: RegExp): void {
  test('the blocks of code in the guide run as one program and print what their comments say', async () => {
    assert.ok(guide.promised.length >= 15, 'lines that print were found')
    assert.not(guide.promised.includes(undefined), 'every line that prints says what')

    const { stdout, stderr } = await guide.run()

    assert.equal(stdout.trimEnd().split('\n'), guide.promised)
    assert.is(stderr, '')
  })

  test('the program of the guide passes the type checker, which would find a mistake in it', async () => {
    const found = await guide.checkTypes(mistake)

    assert.equal(
      found.filter((line) => !line.startsWith('mistake.ts')),
      [],
    )
    assert.is(found.length, 1)
    assert.match(found[0] ?? '', mistakeText)
  })

  test('the guide stays within 300 lines', () => {
    assert.ok(guide.text.split('\n').length <= 301)
  })
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
