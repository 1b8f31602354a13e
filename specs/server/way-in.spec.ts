// time limit: 120 s
/**
 * The ways from a device to a real supervisor in another process, chosen by themselves: over the socket of the same device, over TLS, and
 * over WebSocket where a fire wall lets nothing through that is not HTTP.
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

import { openIn, RemoteNode } from '../../actors/index.ts'
import type { BlazeDBClient, World } from '../../actors/index.ts'
import { processWorld } from '../../actors/client/world.ts'
import { createNodeEnv } from '../../runtime/index.ts'
import { createCertificate } from '../../transports/certificate.ts'
import { serveBlazedb } from './process.ts'

/** Lets TLS through that names HTTP, and is silent to all other, as fire walls are that drop what they do not know. */
class FireWall {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  open = false

  constructor(port: number) {
    this.#server = createServer((socket) => {
      this.#keep(socket)
      socket.once('data', (hello) => {
        if (!this.open && hello.includes('blazed/1')) return
        const onward = connect(port, '127.0.0.1')
        this.#keep(onward)
        onward.write(hello)
        socket.pipe(onward)
        onward.pipe(socket)
      })
    })
  }

  listen(): Promise<number> {
    return new Promise((resolve) => {
      this.#server.listen(0, '127.0.0.1', () => resolve((this.#server.address() as AddressInfo).port))
    })
  }

  close(): void {
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#sockets.delete(socket))
  }
}

interface Place {
  readonly directory: string
  readonly code: string
  readonly port: number
  readonly listen: readonly string[]
  readonly sockets: string
  readonly open: (at: string) => Promise<BlazeDBClient>
}

async function withSupervisor(args: readonly string[], work: (place: Place) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'blazedb-way-'))
  const sockets = join(directory, 'sockets')
  const server = await serveBlazedb(
    join(directory, 'pi'),
    args.map((text) => text.replace('SOCKETS', sockets)),
  )
  const world: World = { ...processWorld(), supervisorDirectory: sockets }
  const clients: BlazeDBClient[] = []
  try {
    await work({
      directory,
      code: server.ready.enrolment ?? '',
      port: Number(/:(\d+)$/.exec(server.ready.listen[0] ?? '')?.[1]),
      listen: server.ready.listen,
      sockets,
      open: async (at) => {
        const client = await openIn(world, {
          name: at,
          at: join(directory, at),
          key: new Uint8Array(32).fill(1),
        })
        clients.push(client)
        return client
      },
    })
  } finally {
    for (const client of clients) await client.close()
    server.child.kill('SIGTERM')
    await server.ended
    rmSync(directory, { recursive: true, force: true })
  }
}

test('an app on the device of its supervisor syncs over a Unix socket, and finds it there again', async () => {
  await withSupervisor(['--local', 'SOCKETS'], async ({ open, code, sockets }) => {
    const a = await open('a')
    const sync = await a.enableSync({ remote: RemoteNode.parse(code), database: 'notes' })
    await a.collection('notes').insert({ id: 'one' })
    await sync.caughtUp()

    assert.match(sync.status().endpoint ?? '', /^uds:/)
    assert.is(readdirSync(sockets).length, 1)
    await a.close()
    const again = await open('a')
    await again.sync?.caughtUp()
    assert.match(again.sync?.status().endpoint ?? '', /^uds:/)
  })
})

test('where a fire wall blocks TLS the device pairs and syncs over WebSocket', async () => {
  await withSupervisor([], async ({ open, code, port }) => {
    const wall = new FireWall(port)
    try {
      const remote = new RemoteNode({ code, host: '127.0.0.1', port: await wall.listen() })
      const a = await open('a')
      const sync = await a.enableSync({ remote, database: 'notes' })
      await a.collection('notes').insert({ id: 'one' })
      await sync.caughtUp()

      assert.match(sync.status().endpoint ?? '', /^wss:/)
    } finally {
      wall.close()
    }
  })
})

test('behind a proxy that ends TLS a device syncs when both sides say that they do without binding, and only then', async () => {
  const certificate = await createCertificate(createNodeEnv())
  await withSupervisor(
    ['--proxied', 'ws://127.0.0.1:0/sync?channelBinding=none'],
    async ({ open, code, listen }) => {
      const behind = Number(/^ws:.*:(\d+)\//.exec(listen.find((text) => text.startsWith('ws:')) ?? '')?.[1])
      const proxy = createTlsServer(
        { key: certificate.privateKey, cert: certificate.certificate },
        (socket) => {
          const onward = connect(behind, '127.0.0.1')
          for (const end of [socket, onward])
            end.on('error', () => [socket, onward].forEach((each) => each.destroy()))
          socket.pipe(onward)
          onward.pipe(socket)
        },
      )
      await new Promise<void>((resolve) => void proxy.listen(0, '127.0.0.1', resolve))
      const at = `wss://127.0.0.1:${(proxy.address() as AddressInfo).port}/sync`
      try {
        const bound = await open('bound')
        const refused = await bound
          .enableSync({ remote: new RemoteNode({ code, endpoints: [at] }), database: 'notes' })
          .catch((error: unknown) => error)
        assert.instance(refused, Error)

        const a = await open('a')
        const remote = new RemoteNode({ code, endpoints: [`${at}?channelBinding=none`] })
        const sync = await a.enableSync({ remote, database: 'notes' })
        await a.collection('notes').insert({ id: 'one' })
        await sync.flushed()
        assert.match(sync.status().endpoint ?? '', /^wss:.*channelBinding=none$/)
        await a.close()
      } finally {
        proxy.close()
      }
    },
  )
})

test('addresses that an application names are tried in their order, and kept', async () => {
  await withSupervisor([], async ({ open, code, port }) => {
    const endpoints = ['tls://127.0.0.1:1', `wss://127.0.0.1:${port}/sync`, `tls://127.0.0.1:${port}`]
    const a = await open('a')
    const sync = await a.enableSync({ remote: new RemoteNode({ code, endpoints }), database: 'notes' })
    await sync.caughtUp()
    assert.match(sync.status().endpoint ?? '', /^wss:/)
    await a.close()

    const again = await open('a')
    await again.sync?.caughtUp()
    assert.match(again.sync?.status().endpoint ?? '', /^wss:/)
    // The code as it was printed names one address again.
    const moved = await again.enableSync({ remote: RemoteNode.parse(code), database: 'notes' })
    await moved.caughtUp()
    assert.match(moved.status().endpoint ?? '', /^tls:/)
    assert.is(again.sync, moved)
  })
})

test('without a socket it is TLS; a device that the supervisor knows comes back with its key alone, one that it does not know is refused', async () => {
  await withSupervisor([], async ({ open, code, port }) => {
    const remote = RemoteNode.parse(code)
    const known = new RemoteNode({ host: '127.0.0.1', port, serverKey: remote.serverKey })
    const a = await open('a')
    const first = await a.enableSync({ remote, database: 'notes' })
    await first.caughtUp()
    assert.match(first.status().endpoint ?? '', /^tls:/)
    await first.stop()
    const again = await a.enableSync({ remote: known, database: 'notes' })
    await again.caughtUp()

    const b = await open('b')
    const refused = await b.enableSync({ remote: known, database: 'other' }).catch((error: unknown) => error)
    assert.is(refused instanceof Error && 'code' in refused && refused.code, 'UNKNOWN_SPACE')
    assert.is(b.sync, undefined)
  })
})

test.run()
