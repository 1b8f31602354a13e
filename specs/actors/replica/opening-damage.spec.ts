/** What an opening says by itself of a table with a changed byte, before anything of the store is read or shown. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume } from '../../../actors/replica/index.ts'
import type { BlazeError } from '../../../runtime/index.ts'
import { copyOf, filesOf, killedStore, temporaryDirectory } from './killed-store.ts'
import type { KilledStore } from './killed-store.ts'

const root = temporaryDirectory()
test.after(() => rmSync(root, { recursive: true }))

/** `ok`, or the code and the text of the refusal. */
async function opened({ at }: KilledStore): Promise<[code: string, message: string]> {
  try {
    const store = await createDirectoryVolume(at).openStore('replica')
    await store.close()
    return ['ok', '']
  } catch (error) {
    const { code, message } = error as BlazeError
    return [code, message]
  }
}

test('a store that was not closed in order, with a changed byte in its tables, does not open', async () => {
  const store = await killedStore(join(root, 'store'), 300, { bodyBytes: 20_000 })
  const tables = filesOf(store, /\.ldb$/)
  assert.ok(tables.length > 0)
  assert.equal(await opened(copyOf(store, join(root, 'sound'))), ['ok', ''])

  for (const share of [0.1, 0.5, 0.9]) {
    const copy = copyOf(store, join(root, `changed ${share}`))
    // The kill may have left one that nothing refers to.
    for (const table of filesOf(copy, /\.ldb$/)) {
      const bytes = readFileSync(table)
      const at = Math.floor(bytes.length * share)
      bytes.writeUInt8((bytes.at(at) ?? 0) ^ 1, at)
      writeFileSync(table, bytes)
    }

    const [code, message] = await opened(copy)
    assert.is(code, 'DAMAGED', `${share}`)
    assert.match(message, /the table \d+\.ldb: the block at byte \d+ is changed/)
  }
})

test.run()
