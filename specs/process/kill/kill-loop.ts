/**
 * A supervisor and two devices under load, each a process of its own and over TLS, of which some are killed with signal 9 again and again.
 *
 * Invariant: seed and epoch decide who is killed when; every process ends with the stage.
 */
import { readdirSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { createDirectoryVolume, openSpace } from '../../../actors/index.ts'
import { createChance, createNodeEnv, nodeCrypto } from '../../../runtime/index.ts'
import { Stage } from '../../../scripts/process/stage.ts'
import { doomedId, sharedId, sharedRecords, workLanes } from '../../fixtures/device-work.ts'
import { DeviceProcess } from '../../fixtures/device-process.ts'
import { SupervisorProcess } from '../../fixtures/supervisor-process.ts'
import { KillLedger } from './kill-ledger.ts'

/** Cycles between two comparisons of everything. */
export const epochCycles = 20
/** Longest load before a kill, and longest wait before the kill of a process that starts, which takes about as long. */
const loadMsMax = 500
const startMsMax = 900
/** Bytes of a directory above which something grows that should not: so many from the start, and so many a write. */
const restBytesMax = 33_554_432
const writeBytesMax = 8_192

export interface KillOptions {
  readonly seed: number
  readonly cycles: number
  /** The first epoch; its number decides about chance. */
  readonly from?: number
  readonly say: (line: string) => void
  readonly cycled?: (done: number) => void
}

export interface KillReport {
  readonly cycles: number
  /** By who and how. */
  readonly kills: ReadonlyMap<string, number>
  /** Writes that a device had told to be durable. */
  readonly acknowledged: number
}

/** Rejects with what is lost, back from the dead, different or left over. */
export async function runKillLoop(options: KillOptions): Promise<KillReport> {
  const stage = new Stage('kill-loop')
  try {
    return await new KillLoop(stage, options).run()
  } finally {
    await stage.close()
  }
}

interface Side {
  readonly name: 'a' | 'b'
  readonly at: string
  process: DeviceProcess
  /** Counts its processes and loads. */
  life: number
}

class KillLoop {
  readonly #stage: Stage
  readonly #options: KillOptions
  readonly #kills = new Map<string, number>()
  #chance: () => number = () => 0
  #ledger = new KillLedger(['a', 'b'])
  #collection = ''
  #done = 0
  #acknowledged = 0
  /** The first write that failed in a process that lives. */
  #failure: Error | undefined

  constructor(stage: Stage, options: KillOptions) {
    this.#stage = stage
    this.#options = options
  }

  async run(): Promise<KillReport> {
    const { seed, cycles, from = 0 } = this.#options
    const supervisor = await SupervisorProcess.start(this.#stage)
    const [a, b] = [this.#side('a'), this.#side('b')]
    await a.process.call('open', { at: a.at })
    await a.process.call('enableSync', { at: a.at, code: supervisor.enrolment ?? '', database: 'shared' })
    const invite = await a.process.call('invite', { at: a.at, role: 'writer' })
    await b.process.call('join', { at: b.at, invite })
    const directories = [supervisor.data, a.at, b.at]
    await this.#rest(supervisor, [a, b])
    const usual = new Set(directories.flatMap(filesOf).map(({ kind }) => kind))

    for (let epoch = from; this.#done < cycles; epoch++) {
      this.#chance = createChance(seed + epoch * 7_919)
      this.#options.say(`epoch ${epoch}: ${this.#done} of ${cycles} cycles done, seed ${seed}`)
      await this.#begin(epoch, supervisor, [a, b])
      for (let n = 0; n < epochCycles && this.#done < cycles; n++) {
        await this.#cycle(supervisor, [a, b])
        this.#done += 1
        this.#options.cycled?.(this.#done)
      }
      await this.#converge([a, b])
      await this.#rest(supervisor, [a, b])
      await this.#verify(supervisor)
      this.#acknowledged += this.#ledger.acknowledged
      for (const directory of directories) checkFiles(directory, usual, this.#acknowledged)
    }
    return { cycles: this.#done, kills: this.#kills, acknowledged: this.#acknowledged }
  }

  /** What both share is there, then the load begins. */
  async #begin(epoch: number, supervisor: SupervisorProcess, sides: readonly Side[]): Promise<void> {
    this.#ledger = new KillLedger(sides.map(({ name }) => name))
    this.#collection = `epoch-${epoch}`
    await supervisor.start()
    for (const side of sides) await this.#open(side)
    const docs = Array.from({ length: workLanes }, (_, lane) => lane).flatMap((lane) =>
      Array.from({ length: sharedRecords }, (_, at) => [
        { id: sharedId(lane, at) },
        { id: doomedId(lane, at) },
      ]).flat(),
    )
    const [first] = sides
    await first?.process.insertMany(first.at, this.#collection, docs)
    for (const side of sides) await side.process.call('caughtUp', { at: side.at })
    for (const side of sides) this.#load(side)
  }

  async #cycle(supervisor: SupervisorProcess, sides: readonly Side[]): Promise<void> {
    await pause(this.#chance() * loadMsMax)
    if (this.#failure !== undefined) throw this.#failure
    const drawn = this.#chance()
    const how = this.#pick(['once', 'once', 'once', 'twice', 'at its start'])
    const afterMs = this.#chance() * startMsMax
    const isSupervisor = drawn < 0.55
    const victims = drawn > 0.9 ? sides : drawn < 0.1 ? sides.slice(0, 1) : [this.#pick(sides)]
    const devices = isSupervisor && drawn >= 0.1 ? [] : victims
    const names = [...(isSupervisor ? ['supervisor'] : []), ...devices.map(({ name }) => name)].join(' and ')
    const line = `${names} ${how}`
    this.#kills.set(line, (this.#kills.get(line) ?? 0) + 1)

    await Promise.all([
      ...(isSupervisor ? [supervisor.kill()] : []),
      ...devices.map((side) => this.#killSide(side)),
    ])
    await Promise.all([
      ...(isSupervisor ? [this.#restart(supervisor, how, afterMs)] : []),
      ...devices.map((side) => this.#reopen(side, how, afterMs)),
    ])
  }

  async #restart(supervisor: SupervisorProcess, how: string, afterMs: number): Promise<void> {
    if (how === 'at its start') await supervisor.dieAtStart(afterMs)
    await supervisor.start()
    if (how !== 'twice') return
    await supervisor.kill()
    await supervisor.start()
  }

  async #reopen(side: Side, how: string, afterMs: number): Promise<void> {
    if (how === 'at its start') {
      const opening = this.#open(side).catch(() => undefined)
      await pause(afterMs)
      await side.process.kill()
      await opening
    } else if (how === 'twice') {
      await this.#open(side)
      this.#load(side)
      await pause(afterMs / 10)
      await this.#killSide(side)
    }
    await this.#open(side)
    this.#load(side)
  }

  async #killSide(side: Side): Promise<void> {
    await side.process.kill()
    this.#ledger.killed({ seed: this.#options.seed, device: side.name, life: side.life })
  }

  /** In a fresh process. */
  async #open(side: Side): Promise<void> {
    side.process = new DeviceProcess(this.#stage, side.name)
    await side.process.call('open', { at: side.at })
  }

  #load(side: Side): void {
    side.life += 1
    const { process, at, life } = side
    const name = { seed: this.#options.seed, device: side.name, life }
    const ledger = this.#ledger
    const work = process.work({ at, collection: this.#collection, ...name }, (count) =>
      ledger.acknowledge({ ...name, lane: count % workLanes }),
    )
    void work.catch((error: Error) => {
      // That it was killed is no failure of a write.
      if (!error.message.includes('SIGKILL')) this.#failure ??= error
    })
  }

  /** All say the same, and it is what was acknowledged. */
  async #converge(sides: readonly Side[]): Promise<void> {
    for (const { process, at } of sides) await process.call('rest', { at })
    if (this.#failure !== undefined) throw this.#failure
    const startMs = performance.now()
    for (const { process, at } of [...sides, ...sides]) await process.call('caughtUp', { at })
    const tookMs = Math.round(performance.now() - startMs)
    const [first, ...others] = await Promise.all(
      sides.map(async ({ name, process, at }) => {
        const rows = await process.rows(at, this.#collection)
        const problems = [...this.#ledger.problems(rows), ...(await process.call('verify', { at }))]
        if (problems.length > 0) throw new Error(`${name}: ${problems.join('; ')}`)
        return rows
      }),
    )
    for (const rows of others)
      if (!isDeepStrictEqual(rows, first)) throw new Error('the devices have different records')
    this.#options.say(
      `converged ${tookMs} ms after the load: ${first?.size} records of ${this.#ledger.acknowledged} acknowledged writes`,
    )
  }

  /** Ends everybody in order. */
  async #rest(supervisor: SupervisorProcess, sides: readonly Side[]): Promise<void> {
    for (const { process, at } of sides) {
      await process.call('close', { at })
      await process.stop()
    }
    const { code } = await supervisor.terminate()
    if (code !== 0) throw new Error(`the supervisor ended with exit code ${code}`)
  }

  /** Every space of the supervisor, read by somebody else. */
  async #verify(supervisor: SupervisorProcess): Promise<void> {
    const env = createNodeEnv()
    const volume = createDirectoryVolume(supervisor.data)
    for (const name of readdirSync(join(supervisor.data, 'spaces'))) {
      const store = await volume.openStore(`spaces/${name}`)
      const spaceId = Uint8Array.from(Buffer.from(name, 'hex'))
      const space = await openSpace({ store, spaceId, env, crypto: nodeCrypto })
      const { problems } = await space.replica.verify()
      await space.close()
      if (problems.length > 0) throw new Error(`supervisor: ${problems.join('; ')}`)
    }
  }

  #side(name: 'a' | 'b'): Side {
    return {
      name,
      at: join(this.#stage.directory, name),
      process: new DeviceProcess(this.#stage, name),
      life: 0,
    }
  }

  #pick<T>(from: readonly T[]): T {
    const item = from[Math.floor(this.#chance() * from.length)]
    if (item === undefined) throw new Error('expected something to pick from')
    return item
  }
}

interface Found {
  /** Path with its numbers left out, and what a store names as it likes. */
  readonly kind: string
  readonly name: string
  readonly bytes: number
}

function filesOf(directory: string): Found[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => {
      const path = join(entry.parentPath, entry.name)
      const name = relative(directory, path)
      const kind = name
        .replaceAll(/[0-9a-f]{32}/g, 'ID')
        .replaceAll(/\d+/g, 'N')
        .replace(/N\.(ldb|log)$/, 'TABLE')
        .replace(/LOG\.old$/, 'LOG')
      return { kind, name, bytes: statSync(path).size }
    })
}

function checkFiles(directory: string, usual: ReadonlySet<string>, writes: number): void {
  const files = filesOf(directory)
  const strange = files.filter(({ kind }) => !usual.has(kind)).map(({ name }) => name)
  if (strange.length > 0) throw new Error(`left over in ${directory}: ${strange.join(', ')}`)
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  if (bytes > restBytesMax + writes * writeBytesMax)
    throw new Error(`${bytes} bytes in ${directory} for ${writes} writes`)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
