/** Writes to a real disk in every way that promises to be durable, and says in between how far it is. `synced-program.ts DIRECTORY` */
import { join } from 'node:path'
import { createDirectoryVolume, directFiles } from '../../../actors/replica/index.ts'
import { say } from '../../fixtures/say.ts'

const [at = ''] = process.argv.slice(2)
const volume = createDirectoryVolume(at)
const bytes = new Uint8Array(100).fill(7)
/** A write of its own to stdout, which a tracer sees in its place. */
const mark = (name: string): void => say(`mark ${name}`)

mark('new')
await createDirectoryVolume(join(at, 'above', 'below')).writeFile('first', bytes)
mark('begin')
await volume.writeFile('replaced', bytes)
mark('replaced')
await volume.createFile('created', bytes)
mark('created')
const sink = await directFiles.create(join(at, 'streamed'))
await sink.write(bytes)
await sink.finish()
mark('streamed')
const store = await volume.openStore('store')
mark('opened')
for (let n = 0; n < 5; n += 1) {
  await store.batch([{ type: 'put', key: Uint8Array.of(n), value: bytes }])
  mark(`batch ${n}`)
}
await store.batch([{ type: 'put', key: Uint8Array.of(9), value: bytes }], { sync: false })
mark('relaxed')
await store.close()
