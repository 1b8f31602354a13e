/** The two files of a header in memory, on a machine that can lose its power at any step of a write. */
import { createSimulatedVolume } from '../../../actors/replica/index.ts'
import type { Volume } from '../../../actors/replica/index.ts'
import { BlazeError, createNodeEnv } from '../../../runtime/index.ts'

export interface HeaderVolume extends Volume {
  readonly files: Map<string, Uint8Array>
  /**
   * The power goes in the middle of the n-th write from now on (from 0), before or after its effect; nothing works from then on. A
   * write that only fails leaves the machine running.
   */
  failAt(n: number, how: 'cut before' | 'cut after' | 'fail before' | 'fail after'): void
}

export function createHeaderVolume(files: Map<string, Uint8Array> = new Map()): HeaderVolume {
  let writes = 0
  let fault: { at: number; how: string } | undefined
  let isDead = false
  const check = (): void => {
    if (isDead) throw new BlazeError('POISONED', 'the power is off')
  }
  return {
    ...createSimulatedVolume(createNodeEnv()),
    files,
    failAt(n, how) {
      writes = 0
      fault = { at: n, how }
    },
    async readFile(name) {
      check()
      return files.get(name)?.slice()
    },
    async writeFile(name, bytes) {
      check()
      const isHit = fault?.at === writes
      writes += 1
      const how = isHit ? fault?.how : undefined
      if (how !== 'cut before' && how !== 'fail before') files.set(name, bytes.slice())
      if (how === undefined) return
      isDead = how.startsWith('cut')
      throw new BlazeError('DISK_FULL', 'as the spec wanted it')
    },
  }
}
