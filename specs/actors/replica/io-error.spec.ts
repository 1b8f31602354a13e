/**
 * A disk that fails to sync, made so by strace (DESIGN §6.2 rules 1 and 4): the writer hears POISONED, everything after it too, and the
 * store that is opened anew has all that was acknowledged.
 */
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { judge, killedStore, temporaryDirectory } from './killed-store.ts'

function canTrace(): boolean {
  try {
    execFileSync('strace', ['-f', '-o', '/dev/null', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    console.log('SKIPPED: a disk that fails to sync, since there is no strace that may trace')
    return false
  }
}

test('a sync that fails poisons, and loses nothing that was acknowledged', async () => {
  if (!canTrace()) return
  const root = temporaryDirectory()
  // Once, and from then on: LevelDB must not go on after one that failed, even when the next would not.
  for (const when of ['15', '40+', '90']) {
    const inject = ['-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=EIO:when=${when}`]
    const wrapper = ['strace', '-f', '-qq', '-o', '/dev/null', ...inject]
    const store = await killedStore(join(root, when), Number.POSITIVE_INFINITY, { wrapper })

    assert.is(store.failed, 'POISONED', when)
    assert.ok(store.acknowledged.length > 0)
    assert.is(await judge(store), 'whole', when)
  }
  rmSync(root, { recursive: true })
})

test.run()
