/** The same on real sockets and files: addresses, ports and locks are given back by what crashed and taken again. */
// time limit: 120 s
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createDirectoryVolume } from '../../actors/index.ts'
import { parseCode } from '../../actors/team/index.ts'
import { createNodeEnv, nodeCrypto } from '../../runtime/index.ts'
import { requestCode, requestStatus } from '../../server/control.ts'
import { startSupervisor } from '../../server/supervisor.ts'
import type { Supervisor } from '../../server/supervisor.ts'
import { createTlsTransport } from '../../transports/index.ts'
import { crashCell } from './crash-cell.ts'
import { SpecDevice } from './device.ts'

const env = createNodeEnv()
const transport = createTlsTransport(env)
const loopback = { host: '127.0.0.1', port: 0 } as const
let directory = ''
let supervisor: Supervisor

test.before.each(async () => {
  directory = mkdtempSync(join(tmpdir(), 'blazedb-tree-'))
  supervisor = await startSupervisor({
    world: { env, crypto: nodeCrypto, volume: createDirectoryVolume(directory), transport },
    listen: { transport: 'tls', ...loopback },
    control: place(),
    operations: loopback,
  })
})
test.after.each(async () => {
  await supervisor.stop()
  rmSync(directory, { recursive: true, force: true })
})

function place(): { path: string; ownDirectory: boolean } {
  return { path: join(directory, 'control.sock'), ownDirectory: false }
}

/** Waits for a change of health in real time. */
async function health(ok: boolean): Promise<void> {
  const until = env.monotonic() + 20_000
  while (supervisor.health().ok !== ok) {
    assert.ok(env.monotonic() < until, `health became ${ok}: ${supervisor.health().failed.join()}`)
    await new Promise<void>((resolve) => void env.after(2, resolve))
  }
}

for (const part of ['storage', 'access', 'clients', 'listeners', 'listeners/control', 'operations'])
  test(`after a crash of ${part} port, control socket, page and store are served again`, async () => {
    const { endpoint, operations } = supervisor
    const device = new SpecDevice(env, transport)
    const { serverKey } = parseCode(await requestCode({ place: place(), env }))
    const connected = await device.connect(endpoint, serverKey)

    crashCell(supervisor.system, `/supervisor/${part}`)
    await health(false)
    await health(true)

    assert.equal([supervisor.endpoint, supervisor.operations], [endpoint, operations])
    if (['storage', 'access', 'clients'].includes(part)) await connected.closed
    else connected.close()
    await device.redeem(await requestCode({ place: place(), env }), endpoint)
    assert.is((await requestStatus({ place: place(), env })).hosts, 1)
    const page = await fetch(`http://127.0.0.1:${operations?.port ?? 0}/healthz`)
    assert.is(page.status, 200)
    await page.text()
    const again = await device.connect(endpoint, serverKey)
    await again.registerDatabase('bugs', new Uint8Array(16).fill(5))
    again.close()
  })

test.run()
