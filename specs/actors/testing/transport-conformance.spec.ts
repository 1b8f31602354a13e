/** The conformance cases for transports find what is wrong with a transport, whatever is planted in one that keeps the contract. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createMemoryNetwork, transportConformance } from '../../../actors/testing.ts'
import type { TransportWorld } from '../../../actors/testing.ts'
import { createNodeEnv, limits } from '../../../runtime/index.ts'
import type { Link, LinkHandlers, Transport } from '../../../transports/index.ts'

type Wrap = (link: Link) => Link

/** A link whose methods are those of another, but for some. */
function changed(link: Link, change: Partial<Link>): Link {
  const base: Link = {
    transport: link.transport,
    remote: link.remote,
    binding: link.binding,
    attach: (handlers) => link.attach(handlers),
    send: (record) => link.send(record),
    pause: () => link.pause(),
    resume: () => link.resume(),
    close: () => link.close(),
    destroy: (error) => link.destroy(error),
  }
  return { ...base, ...change }
}

function handling(link: Link, change: (handlers: LinkHandlers) => Partial<LinkHandlers>): Link {
  return changed(link, {
    attach: (handlers) =>
      link.attach({
        record: (bytes) => handlers.record(bytes),
        drain: () => handlers.drain(),
        closed: (error) => handlers.closed(error),
        ...change(handlers),
      }),
  })
}

/** Each breaks one promise. */
const faults: Readonly<Record<string, Wrap>> = {
  'drops a record now and then': (link) => {
    let count = 0
    return changed(link, { send: (record) => (count++ % 5 === 4 ? true : link.send(record)) })
  },
  'swaps two records': (link) => {
    let kept: Uint8Array | undefined
    return changed(link, {
      send(record) {
        if (kept === undefined) {
          kept = record.slice()
          return true
        }
        const ready = link.send(record)
        link.send(kept)
        kept = undefined
        return ready
      },
    })
  },
  'doubles a record': (link) => changed(link, { send: (record) => link.send(record) && link.send(record) }),
  'changes a byte of a long record': (link) =>
    changed(link, {
      send: (record) =>
        link.send(record.length > 60_000 ? record.with(59_000, 1 ^ (record[59_000] ?? 0)) : record),
    }),
  'takes records of no bytes': (link) =>
    changed(link, { send: (record) => (record.length === 0 ? true : link.send(record)) }),
  'takes records that are too long': (link) =>
    changed(link, { send: (record) => link.send(record.subarray(0, limits.recordBytesMax)) }),
  'delivers while paused': (link) => changed(link, { pause: () => undefined }),
  'never says that it is full': (link) => changed(link, { send: (record) => link.send(record) || true }),
  'never says that there is room again': (link) => handling(link, () => ({ drain: () => undefined })),
  'tells its end twice': (link) =>
    handling(link, (handlers) => ({
      closed: (error) => {
        handlers.closed(error)
        handlers.closed(error)
      },
    })),
  'never tells its end': (link) => handling(link, () => ({ closed: () => undefined })),
  'calls every end an error': (link) =>
    handling(link, (handlers) => ({ closed: () => handlers.closed(new Error('planted') as never) })),
  'loses what was sent before its close': (link) => changed(link, { close: () => link.destroy() }),
  'forgets why it was destroyed': (link) => changed(link, { destroy: () => link.destroy() }),
}

function memory(): Transport {
  return createMemoryNetwork(createNodeEnv()).transport('one')
}

function world(wrap: Wrap): TransportWorld {
  const transport = memory()
  const wrapped: Transport = {
    name: transport.name,
    listen: (endpoint, onLink) => transport.listen(endpoint, (link) => onLink(wrap(link))),
    dial: async (endpoint, options) => wrap(await transport.dial(endpoint, options)),
  }
  return { listening: wrapped, dialling: wrapped, endpoint: { transport: 'memory', host: 'one', port: 0 } }
}

async function broken(wrap: Wrap): Promise<string[]> {
  const results = await Promise.allSettled(transportConformance.map((promise) => promise.run(world(wrap))))
  return transportConformance.flatMap(({ name }, at) => (results[at]?.status === 'rejected' ? [name] : []))
}

test('a transport that keeps the contract passes every case, wrapped too', async () => {
  assert.ok(transportConformance.length >= 12)
  assert.equal(await broken((link) => changed(link, {})), [])
  assert.equal(await broken((link) => handling(link, () => ({}))), [])
})

test('each planted fault is found out, and not by every case', async () => {
  // At once: what is waited for in vain takes seconds.
  const found = await Promise.all(Object.values(faults).map(broken))

  for (const [at, fault] of Object.keys(faults).entries()) {
    const names = found[at] ?? []
    assert.ok(names.length > 0, `a transport that ${fault}`)
    assert.ok(names.length < transportConformance.length, `${fault}: ${names.join('; ')}`)
  }
})

test('a listener that keeps its port, and a dial that cannot be aborted, are found out', async () => {
  const transport = memory()
  const endpoint = { transport: 'memory', host: 'one', port: 0 } as const
  const sticky: Transport = {
    ...transport,
    listen: async (place, onLink) => ({
      ...(await transport.listen(place, onLink)),
      close: async () => undefined,
    }),
    dial: (place, { timeoutMs }) => transport.dial(place, { timeoutMs }),
  }

  const results = await Promise.allSettled(
    transportConformance.map((promise) => promise.run({ listening: sticky, dialling: sticky, endpoint })),
  )

  assert.ok(results.filter(({ status }) => status === 'rejected').length >= 2)
})

test.run()
