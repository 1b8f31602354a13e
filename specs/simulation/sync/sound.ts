/**
 * What holds of a node at any moment: no cell of it has crashed by a bug, no queue is longer than its bound, a misfit sends nothing, and
 * who says to have everything has it.
 * Invariant: it only looks.
 */
import type { NodeWorld } from '../../../actors/testing.ts'
import type { CampaignNode } from './campaign-node.ts'
import type { DeviceNode } from './device-node.ts'

/** Cells that fall with a part of the tree, or end with their link, say why with the code of an operating fault. */
const operatingFault = /^[A-Z][A-Z_0-9]+\b/

export function expectSound(node: CampaignNode): void {
  const { name, system } = node.node
  const systems = node.kind === 'supervisor' ? [system, node.supervisor.system] : [system]
  for (const cell of systems.flatMap((one) => one.tree())) {
    if (cell.lastError !== undefined && !operatingFault.test(cell.lastError))
      throw new Error(`${cell.path} of ${name} crashed: ${cell.lastError}`)
    if (cell.mailbox.depth > cell.mailbox.max)
      throw new Error(`${cell.path} of ${name} has ${cell.mailbox.depth} messages waiting`)
  }
}

/** A misfit sends nothing. Of two each would wait for the other, but a plan has one. */
export function expectNothingSent({ name, client }: DeviceNode): void {
  const status = client?.sync?.status()
  if (status?.relay !== 'rebasing') return
  if (status.queue.parts > 0 || status.rates.sent > 0) throw new Error(`${name} sends while it rebases`)
}

/** A scrub that finds a difference has found a round or a vector that promised too much, unless a misfit explains it. */
export function onDifference({ name, system }: NodeWorld, found: (error: Error) => void): void {
  system.tap.subscribe(({ type, path, details }) => {
    if (type !== 'machine.state' || details['event'] !== 'relay.differs') return
    found(new Error(`${path} of ${name} holds what its vector does not say, or lacks what it says`))
  })
}
