/** Operations over real HTTP on loopback: health, page, JSON, and whom it refuses. */
import { request } from 'node:http'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createNodeEnv } from '../../../runtime/index.ts'
import { listenOperations } from '../../../server/operations/index.ts'
import type { OperationsServer } from '../../../server/operations/index.ts'
import type { Status } from '../../../server/status.ts'
import { codeOf } from '../world.ts'

const healthy: Status = {
  ok: true,
  version: '1.2.3',
  uptimeMs: 90_000,
  clients: 2,
  databases: 1,
  quarantined: 0,
  failed: [],
  pid: 42,
  rssBytes: 80 * 1_048_576,
  listen: ['tls://127.0.0.1:8080'],
  ops: 'http://127.0.0.1:8081',
  device: 'K30C-JRB7-JGE2-J6E4-MQP3-KZCB-VRJQ',
  peers: [],
  hosts: 1,
  enrolmentOpen: true,
  refused: { PROTOCOL_VIOLATION: 3 },
  databaseList: [
    {
      name: 'bugs',
      space: 'ab'.repeat(16),
      state: 'failed',
      records: null,
      bytes: null,
      quotaBytes: null,
      clients: 0,
      error: '<script>alert(1)</script>',
    },
  ],
  actors: [
    {
      id: 1,
      path: '/supervisor/clients/"client"&1',
      kind: 'connection',
      parent: null,
      state: 'authenticated',
      since: 0,
      mailbox: { depth: 3, max: 1024 },
      restarts: 7,
      lastError: 'Error: <b>',
    },
  ],
}

let status: Status = healthy
let server: OperationsServer

test.before(async () => {
  server = await listenOperations({
    env: createNodeEnv(),
    address: { host: '127.0.0.1', port: 0 },
    health: () => status,
    status: () => status,
  })
})
test.after(() => server.close())

function get(path: string, host?: string): Promise<{ code: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = host === undefined ? {} : { host }
    const { host: address, port } = server.address
    const sent = request({ host: address, port, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
      })
      response.on('end', () =>
        resolve({ code: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('health is 200 with JSON while healthy, 503 when something failed', async () => {
  const good = await get('/healthz')
  assert.is(good.code, 200)
  assert.is(JSON.parse(good.text).ok, true)

  status = { ...healthy, ok: false, failed: ['/supervisor/access'] }
  const bad = await get('/healthz')
  status = healthy

  assert.is(bad.code, 503)
  assert.equal(JSON.parse(bad.text).failed, ['/supervisor/access'])
})

test('the page lists every actor with state, restarts and mailbox, and escapes every value', async () => {
  const { code, type, text } = await get('/')

  assert.is(code, 200)
  assert.match(type, 'text/html')
  assert.match(text, '/supervisor/clients/&quot;client&quot;&amp;1')
  assert.match(text, '<td>authenticated</td>')
  assert.match(text, '<td class="n">7</td><td class="n">3 / 1024</td>')
  assert.match(text, '&lt;script&gt;alert(1)&lt;/script&gt;')
  assert.match(text, 'Error: &lt;b&gt;')
  assert.not.match(text, /<script|<b>/)
  assert.match(text, 'http-equiv="refresh"')
})

test('the status is the same as JSON', async () => {
  assert.equal(JSON.parse((await get('/status')).text), healthy)
})

test('a request that names another host is refused, so that no foreign page can read it', async () => {
  for (const path of ['/', '/status', '/healthz']) assert.is((await get(path, 'evil.example:8081')).code, 403)
  assert.is((await get('/healthz', 'localhost:9')).code, 200)
  assert.is((await get('/healthz', '[::1]:9')).code, 200)
})

test('an unknown address is 404', async () => {
  assert.is((await get('/metrics')).code, 404)
})

test('a taken port is PORT_IN_USE', async () => {
  const again = listenOperations({
    env: createNodeEnv(),
    address: server.address,
    health: () => status,
    status: () => status,
  })

  assert.is(await codeOf(again), 'PORT_IN_USE')
})

test.run()
