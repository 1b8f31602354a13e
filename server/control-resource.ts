/** The control socket as a cell of the supervisor. Invariant: it answers once the port of clients is taken, which codes name. */
import type { Env } from '../runtime/index.ts'
import { listenControl } from '../transports/index.ts'
import type { ControlPlace, ControlServer } from '../transports/index.ts'
import { createResource } from './resource/index.ts'
import type { Resource } from './resource/index.ts'

export function controlResource(o: {
  readonly place: ControlPlace
  readonly env: Env
  /** Resolves or rejects once the port was tried. */
  listening(): Promise<unknown>
  handle(request: unknown): Promise<unknown>
}): Resource<ControlServer> {
  const { place, env } = o
  return createResource<ControlServer>({
    name: 'control',
    kind: 'listener',
    open: async () => {
      await Promise.allSettled([o.listening()])
      return listenControl({ place, env, handle: (request) => o.handle(request) })
    },
    close: (server) => server.close(),
    inspect: () => ({ path: place.path }),
  })
}
