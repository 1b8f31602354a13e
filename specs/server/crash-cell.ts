/** Crashes one cell of a system by its path, as a bug in its handler would. No actor can do this to another; only specs may. */
import { Cell } from '../../runtime/cell/cell.ts'
import { reducer } from '../../runtime/index.ts'
import type { System } from '../../runtime/index.ts'
import type { Member } from '../../runtime/supervision/member.ts'

let probes = 0

/** The crash happens in the next turn of the cell. Throws when there is none of that path. */
export function crashCell(system: System, path: string): void {
  findCell(system, path).requestCrash(new Error('crashed by a spec'))
}

function findCell(system: System, path: string): { requestCrash(error: Error): void } {
  const probe = system.spawn({
    name: `probe-${++probes}`,
    behaviour: reducer<undefined, never>({ kind: 'probe', init: () => undefined, receive: () => undefined }),
  })
  try {
    if (!(probe instanceof Cell)) throw new TypeError('expected the ref of a cell')
    let children: Iterable<Member> = probe.parent?.children ?? []
    for (const name of path.split('/').slice(1)) {
      const cell = [...children].find(({ spec }) => spec.name === name)
      if (!(cell instanceof Cell)) throw new Error(`there is no cell ${name} of ${path}`)
      if (cell.path === path) return cell
      children = cell.children
    }
    throw new Error(`there is no cell ${path}`)
  } finally {
    void probe.stop()
  }
}
