/** The access store as a cell of the supervisor; its lock is the lock of the data directory. */
import type { Volume } from '../actors/index.ts'
import type { CryptoProvider, Env } from '../runtime/index.ts'
import { AccessStore } from './access/index.ts'
import { createResource } from './resource/index.ts'
import type { Resource } from './resource/index.ts'

export function accessResource(o: {
  readonly volume: Volume
  readonly env: Env
  readonly crypto: CryptoProvider
}): Resource<AccessStore> {
  const { volume, env, crypto } = o
  return createResource<AccessStore>({
    name: 'access',
    kind: 'access',
    open: async () => {
      const store = await volume.openStore('access')
      try {
        return await AccessStore.open({ store, env, crypto })
      } catch (error) {
        await store.close()
        throw error
      }
    },
    close: (access) => access.close(),
    watch: (access, failed) => access.onFailed(failed),
    inspect: (access) => ({ hosts: access?.hostCount ?? 0, databases: access?.databases().length ?? 0 }),
  })
}
