/** What every `OrderedStore` and `Volume` promises, as one suite for the real and the simulated disk. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { OrderedStore, StoreOperation, StoreRow, Volume } from '../../../actors/replica/index.ts'
import { codeOf } from './replica-world.ts'

export interface StoreWorld {
  readonly volume: Volume
  /** Lets time pass until the promise is settled. */
  settle<T>(promise: Promise<T>): Promise<T>
  end(): Promise<void>
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const put = (key: string, value: string): StoreOperation => ({
  type: 'put',
  key: bytes(key),
  value: bytes(value),
})
const del = (key: string): StoreOperation => ({ type: 'del', key: bytes(key) })
const text = (value: Uint8Array | undefined): string | undefined => value && new TextDecoder().decode(value)
const shown = (rows: readonly StoreRow[]): string =>
  rows.map(([key, value]) => `${text(key)}=${text(value)}`).join(' ')
const all = { gte: bytes('a'), lt: bytes('z'), limit: 100 }

export function describeStore(name: string, start: () => Promise<StoreWorld>): void {
  const spec = (sentence: string, run: (world: StoreWorld, store: OrderedStore) => Promise<void>): void => {
    test(`${name}: ${sentence}`, async () => {
      const world = await start()
      try {
        await run(world, await world.settle(world.volume.openStore('spec/store')))
      } finally {
        await world.end()
      }
    })
  }

  spec('a batch is there whole, and a later operation on the same key wins', async (world, store) => {
    await world.settle(store.batch([put('b', '1'), put('a', '2'), put('b', '3'), put('c', '4'), del('c')]))

    assert.is(shown(await store.range(all)), 'a=2 b=3')
    assert.is(text(store.get(bytes('b'))), '3')
    assert.is(store.get(bytes('c')), undefined)
    await store.close()
  })

  spec(
    'a range has its lower and not its upper bound, its limit, and both directions',
    async (world, store) => {
      await world.settle(store.batch(['a', 'b', 'ba', 'c', 'd'].map((key) => put(key, ''))))
      const range = { gte: bytes('b'), lt: bytes('d') }

      assert.is(shown(await store.range({ ...range, limit: 9 })), 'b= ba= c=')
      assert.is(shown(await store.range({ ...range, limit: 2 })), 'b= ba=')
      assert.is(shown(await store.range({ ...range, limit: 2, reverse: true })), 'c= ba=')
      assert.is(shown(await store.range({ gte: bytes('e'), lt: bytes('f'), limit: 9 })), '')
      await store.close()
    },
  )

  spec('keys are ordered by their bytes, not as text', async (world, store) => {
    const keys = [Uint8Array.of(0x7f), Uint8Array.of(0x80), Uint8Array.of(0x80, 0), Uint8Array.of(0xff)]
    const operations = [2, 0, 3, 1].map((at): StoreOperation => {
      return { type: 'put', key: keys[at] ?? new Uint8Array(), value: Uint8Array.of(at) }
    })
    await world.settle(store.batch(operations))

    const rows = await store.range({ gte: Uint8Array.of(1), lt: Uint8Array.of(0xff, 0xff), limit: 9 })

    assert.equal(
      rows.map(([, value]) => value[0]),
      [0, 1, 2, 3],
    )
    await store.close()
  })

  spec('a snapshot shows what was there, whatever is written later', async (world, store) => {
    await world.settle(store.batch([put('a', '1'), put('b', '1')]))
    const snapshot = store.snapshot()
    await world.settle(store.batch([put('a', '2'), del('b'), put('c', '2')]))

    assert.is(shown(await snapshot.range(all)), 'a=1 b=1')
    assert.is(text(snapshot.get(bytes('b'))), '1')
    assert.is(shown(await store.range(all)), 'a=2 c=2')
    await snapshot.close()
    assert.is(await codeOf(snapshot.range(all)), 'CLOSED')
    await store.close()
  })

  spec('bytes that are handed out or taken in are nobody else’s', async (world, store) => {
    const value = bytes('mine')
    await world.settle(store.batch([{ type: 'put', key: bytes('a'), value }]))
    value.fill(0)
    store.get(bytes('a'))?.fill(0)

    assert.is(text(store.get(bytes('a'))), 'mine')
    await store.close()
  })

  spec('closing waits for nothing twice, and then everything is refused', async (world, store) => {
    await world.settle(store.batch([put('a', '1')]))
    await Promise.all([store.close(), store.close()])

    assert.is(await codeOf(store.batch([put('a', '2')])), 'CLOSED')
    assert.is(await codeOf(store.range(all)), 'CLOSED')
    assert.is(await codeOf(Promise.resolve().then(() => store.get(bytes('a')))), 'CLOSED')
    assert.is(await codeOf(Promise.resolve().then(() => store.snapshot())), 'CLOSED')
  })

  spec('what was acknowledged is there after reopening', async (world, store) => {
    await world.settle(store.batch([put('a', '1')]))
    await store.close()

    const again = await world.settle(world.volume.openStore('spec/store'))

    assert.is(shown(await again.range(all)), 'a=1')
    await again.close()
  })

  spec('an unsynced batch is seen once it resolved, and outlives its handle', async (world, store) => {
    await world.settle(store.batch([put('a', '1'), put('b', '1')], { sync: false }))
    assert.is(shown(await store.range(all)), 'a=1 b=1')
    await world.settle(store.batch([put('a', '2'), del('b')], { sync: false }))
    assert.is(shown(await store.range(all)), 'a=2')
    await world.settle(store.batch([put('c', '3')]))
    await world.settle(store.batch([put('a', '4')], { sync: false }))
    await store.close()

    const again = await world.settle(world.volume.openStore('spec/store'))

    assert.is(shown(await again.range(all)), 'a=4 c=3')
    await again.close()
  })

  spec('a second opening is refused and names the holder', async (world, store) => {
    const second = world.settle(world.volume.openStore('spec/store'))

    const error: unknown = await second.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    assert.is(await codeOf(second), 'ALREADY_OPEN')
    assert.match(JSON.stringify(error), `"pid":${process.pid}`)
    await store.close()
    await (await world.settle(world.volume.openStore('spec/store'))).close()
  })

  spec('small files are replaced, listed and removed', async (world, store) => {
    const { volume } = world
    await store.close()
    assert.is(await volume.readFile('spec/header'), undefined)
    assert.equal(await volume.list('nowhere'), [])

    await world.settle(volume.writeFile('spec/header', bytes('one')))
    await world.settle(volume.writeFile('spec/header', bytes('two')))
    await world.settle(volume.writeFile('top', bytes('three')))

    assert.is(text(await volume.readFile('spec/header')), 'two')
    assert.equal(await volume.list(''), ['spec', 'top'])
    assert.ok((await volume.list('spec')).includes('header'))
    await volume.remove('spec')
    await volume.remove('spec')
    assert.equal(await volume.list(''), ['top'])
    assert.is(await volume.readFile('spec/header'), undefined)
  })

  spec('a name that leaves the volume is refused', async (world, store) => {
    await store.close()
    for (const name of ['', '..', 'a/../b', '/etc/passwd', 'a//b', './a', 'a\\b', '.hidden']) {
      const error = await Promise.resolve()
        .then(() => world.volume.readFile(name))
        .catch((reason: unknown) => reason)
      assert.instance(error, TypeError, name)
    }
  })
}
