// time limit: 120 s
/**
 * Who is not of the group, has no grant or finds a place that is not safe is refused with a code, and the host and the guest that it has
 * go on. One host and one honest guest live through the whole file; after each test the guest still sees a fresh write over its only link.
 */
import { execFile } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Child, moduleAt } from '../../scripts/process/child.ts'
import { codeOf } from '../fixtures/device-process.ts'
import { collection, DATABASE, expectCode, openBugs, Street } from './next-door-app.ts'
import type { App } from './next-door-app.ts'
import type { Place } from './next-door-program.ts'
import type { RawCalls } from './next-door-raw.ts'
import type { StrangerReport } from './next-door-stranger.ts'

const NOBODY = 65_534
const street = new Street('next-door-refusal-spec')
const { directory } = street.group
const grants = { dashboard: 'readWrite', visitor: 'readOnly', raw: 'readOnly' } as const
const isRoot = process.getuid?.() === 0
const raw = new Child<RawCalls>(street.stage, {
  name: 'raw',
  module: './next-door-raw',
  base: import.meta.url,
})
const visitor = street.app('visitor')
let host: App
let honest: App

test.before(() =>
  street.check(async () => {
    host = await street.host({ grants })
    honest = await street.guest({ name: 'honest', mode: 'readOnly', tap: 'count' })
  }),
)
test.after.each(() =>
  street.check(async () => {
    await street.pulse(host, honest)
    assert.is((await honest.call('counts', null)).links, 1, 'its only link lives')
    const { state, guests } = await host.call('shareStatus', null)
    assert.is(state, 'listening')
    assert.ok(guests.some(({ app, pid }) => app === 'dashboard' && pid === honest.pid))
  }),
)
test.after(() => street.close())

/** Fails unless somebody who comes now is refused with this code. */
async function refused(
  code: string,
  o: { group?: Place; app?: string; database?: string; timeoutMs?: number } = {},
) {
  return await expectCode(code, street.connect(visitor, { mode: 'readOnly', app: 'visitor', ...o }))
}

async function letIn(): Promise<void> {
  await street.connect(visitor, { mode: 'readOnly', app: 'visitor' })
  assert.equal(await visitor.rows(), await honest.rows())
  await visitor.call('close', null)
}

function socketOf(place: string): string {
  const name = readdirSync(place).find((file) => file.endsWith('.sock'))
  if (name === undefined) throw new Error(`no socket in ${place}`)
  return name
}

/** With another content or right for the time of the work. */
async function spoiled(
  file: string,
  spoil: (path: string) => void,
  work: () => Promise<unknown>,
): Promise<void> {
  const path = join(directory, file)
  const aside = `${path}.aside`
  renameSync(path, aside)
  try {
    spoil(path)
    await work()
  } finally {
    rmSync(path, { force: true })
    renameSync(aside, path)
  }
  await letIn()
}

test('another directory is another group: UNREACHABLE, and with a way to the socket GROUP_KEY_INVALID', async () => {
  const other = { id: 'street', directory: street.at('other') }
  const sinceMs = performance.now()
  await refused('UNREACHABLE', { group: other, timeoutMs: 3_000 })
  const tookMs = performance.now() - sinceMs
  assert.ok(tookMs > 2_900 && tookMs < 10_000, `${tookMs} ms`)

  const socket = socketOf(directory)
  linkSync(join(directory, socket), join(other.directory, socket))
  const message = await refused('GROUP_KEY_INVALID', { group: other })
  assert.match(message, 'same directory of the app group')
  rmSync(join(other.directory, socket))
  symlinkSync(join(directory, socket), join(other.directory, socket))
  assert.match(await refused('UNSAFE_DIRECTORY', { group: other }), 'symbolic link')
  await refused('BAD_CONFIG', { group: { id: 'avenue', directory } })
})

test('a wrong key file is GROUP_KEY_INVALID, one that others may read UNSAFE_DIRECTORY, one that is missing or cut DAMAGED', async () => {
  const key = readFileSync(join(directory, 'key'))
  const wrong = key.map((byte) => byte ^ 1)
  const cases = [
    ['GROUP_KEY_INVALID', (path: string) => writeFileSync(path, wrong, { mode: 0o600 })],
    ['DAMAGED', (path: string) => writeFileSync(path, key.subarray(1), { mode: 0o600 })],
    ['DAMAGED', () => undefined],
    ['UNSAFE_DIRECTORY', (path: string) => (writeFileSync(path, key), chmodSync(path, 0o640))],
    ['UNSAFE_DIRECTORY', (path: string) => symlinkSync(`${path}.aside`, path)],
  ] as const
  for (const [code, spoil] of cases) await spoiled('key', spoil, () => refused(code))
})

test('no grant is FORBIDDEN, and so is a key that no app has registered, however it got in', async () => {
  await refused('FORBIDDEN', { app: 'stranger' })
  await expectCode('READ_ONLY', street.connect(visitor, { mode: 'readWrite', app: 'visitor' }))
  const enter = { name: 'foreign', group: street.group, app: 'raw', database: DATABASE }
  const options = { timeoutMs: 20_000 }
  const foreign = await codeOf(raw.call('enter', { ...enter, lacks: 'registration' }, options))
  assert.is(foreign.code, 'FORBIDDEN')
  const keyless = await codeOf(raw.call('enter', { ...enter, lacks: 'group key' }, options))
  assert.is(keyless.code, 'CODE_INVALID')

  await host.call('setPolicy', { policy: openBugs, grants: { dashboard: 'readWrite' } })
  await refused('FORBIDDEN')
  await host.call('setPolicy', { policy: openBugs, grants })
  await letIn()
})

test('an unknown database is UNREACHABLE within its time, and UNKNOWN_SPACE for who asks at the wrong socket', async () => {
  const sinceMs = performance.now()
  await refused('UNREACHABLE', { database: 'Unknown', timeoutMs: 3_000 })
  assert.ok(performance.now() - sinceMs < 10_000)

  const options = { timeoutMs: 20_000 }
  await raw.call('enter', { name: 'lost', group: street.group, app: 'raw', database: DATABASE }, options)
  const attach = raw.call('attach', { name: 'lost', mode: 'readOnly', database: 'Unknown' }, options)
  assert.is((await codeOf(attach)).code, 'UNKNOWN_SPACE')
  const { ids } = await raw.call('attach', { name: 'lost', mode: 'readOnly', database: DATABASE }, options)
  assert.equal(ids.length, (await honest.rows()).size, 'the link is as good as before')
  await raw.call('leaveAll', null, options)
})

test('a directory that is a link, or that others may enter, is UNSAFE_DIRECTORY for guests and hosts', async () => {
  const open = street.at('open')
  const link = street.at('link')
  symlinkSync(directory, link)
  mkdirSync(open)
  const other = street.app('other')
  await other.call('open', { at: street.at('other-tracker'), name: 'Other' })
  const unsafe = async (group: Place): Promise<void> => {
    await refused('UNSAFE_DIRECTORY', { group })
    await expectCode('UNSAFE_DIRECTORY', other.call('share', { group, policy: openBugs }))
  }

  await unsafe({ id: 'street', directory: link })
  for (const mode of [0o777, 0o1777, 0o750, 0o740, 0o701]) {
    chmodSync(open, mode)
    await unsafe({ id: 'street', directory: open })
    chmodSync(directory, mode)
    await unsafe(street.group).finally(() => chmodSync(directory, 0o700))
  }
  assert.equal(readdirSync(open), [], 'nothing was put there')
  await letIn()
  await other.call('share', { group: street.group, policy: openBugs })
  await other.stop()
})

test('a directory of another user is UNSAFE_DIRECTORY', async () => {
  if (!isRoot) {
    console.log('SKIPPED: a directory of another user, which only root can make')
    return
  }
  const foreign = street.at('foreign')
  mkdirSync(foreign, { mode: 0o700 })
  chownSync(foreign, NOBODY, NOBODY)
  const other = street.app('other-2')
  await other.call('open', { at: street.at('other-tracker-2'), name: 'Other' })

  const group = { id: 'street', directory: foreign }
  await refused('UNSAFE_DIRECTORY', { group })
  await expectCode('UNSAFE_DIRECTORY', other.call('share', { group, policy: openBugs }))
  assert.equal(readdirSync(foreign), [])
  await other.stop()
})

test('a process of another user is refused by the API, and by the system when it goes around it', async () => {
  if (!isRoot) {
    console.log('SKIPPED: a process of another user, which only root can start')
    return
  }
  const { path, execArgv } = moduleAt('./next-door-stranger', import.meta.url)
  // It may come as far as the directory of the group.
  chmodSync(street.stage.directory, 0o711)
  const socket = join(directory, socketOf(directory))
  const run = promisify(execFile)(process.execPath, [...execArgv, path, directory, DATABASE, socket], {
    uid: NOBODY,
    gid: NOBODY,
    timeout: 30_000,
  })
  const { stdout } = await run.finally(() => chmodSync(street.stage.directory, 0o700))

  const report = JSON.parse(stdout) as StrangerReport
  assert.equal(report, { uid: NOBODY, api: 'UNSAFE_DIRECTORY', socket: 'EACCES', key: 'EACCES' })
})

test('files of other apps that are damaged hinder nobody else', async () => {
  for (const name of ['broken', 'foreign']) mkdirSync(join(directory, 'apps', name), { mode: 0o700 })
  writeFileSync(join(directory, 'apps', 'broken', 'app.json'), '{"version":', { mode: 0o600 })
  writeFileSync(join(directory, 'apps', 'foreign', 'app.json'), '{"version":1,"app":"dashboard"}', {
    mode: 0o666,
  })
  writeFileSync(join(directory, 'databases', 'x.json'), 'no JSON', { mode: 0o600 })

  await letIn()
  await refused('FORBIDDEN', { app: 'stranger' })
  await expectCode('DAMAGED', street.connect(visitor, { app: 'broken' }))
  for (const name of ['broken', 'foreign']) rmSync(join(directory, 'apps', name), { recursive: true })
})

test('what a refused guest did left no trace in the database', async () => {
  const docs = await host.call('all', { collection })
  assert.ok(docs.every(({ id }) => String(id).startsWith('pulse-')))
})

test.run()
