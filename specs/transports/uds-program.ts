/**
 * A process that listens on local endpoints when its parent tells it to, and can be made to die or to stand still at one call to the
 * file system. Each link it takes is told the process id.
 */
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'

import { BlazeError, createNodeEnv, nodeCrypto } from '../../runtime/index.ts'
import { createUdsTransport } from '../../transports/index.ts'
import type { LocalEndpoint, Listener } from '../../transports/index.ts'

export interface Trap {
  readonly call: 'link' | 'rename' | 'unlink'
  /** 1 is the next one. */
  readonly count: number
  readonly signal: 'SIGKILL' | 'SIGSTOP'
}

export type Command =
  | { readonly do: 'listen'; readonly endpoint: LocalEndpoint; readonly atNs?: bigint; readonly trap?: Trap }
  | { readonly do: 'close' }

const transport = createUdsTransport(createNodeEnv(), nodeCrypto)
let listener: Listener | undefined

function setTrap({ call, count, signal }: Trap): void {
  const real = files[call] as (...paths: string[]) => Promise<void>
  let left = count
  const trapped = async (...paths: string[]): Promise<void> => {
    if (--left === 0) process.kill(process.pid, signal)
    await real(...paths)
  }
  Object.assign(files, { [call]: trapped })
  syncBuiltinESMExports()
}

async function run(command: Command): Promise<string> {
  if (command.do === 'close') {
    await listener?.close()
    listener = undefined
    return 'closed'
  }
  if (command.trap !== undefined) setTrap(command.trap)
  while (command.atNs !== undefined && process.hrtime.bigint() < command.atNs);
  try {
    listener = await transport.listen(command.endpoint, (link) => {
      link.attach({ record: () => undefined, drain: () => undefined, closed: () => undefined })
      link.send(Buffer.from(String(process.pid)))
    })
    return 'listening'
  } catch (error) {
    return error instanceof BlazeError ? error.code : String(error)
  }
}

process.on('message', (command: Command) => void run(command).then((result) => process.send?.(result)))
process.on('disconnect', () => process.exit(0))
process.send?.('ready')
