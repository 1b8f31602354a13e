/**
 * Swarm testing (Groce et al., ISSTA 2012): each seed has some kinds of faults and not the others, because kinds that are always on
 * hide what only their absence shows.
 * Invariant: what is drawn depends on the chance and the kinds that are allowed, on nothing else.
 */

/** Of a network, a node, a disk and a clock, in this order. */
export type FaultKind =
  | 'delay'
  | 'loss'
  | 'duplicate'
  | 'reorder'
  | 'bandwidth'
  | 'partition'
  | 'one-way'
  | 'cut'
  | 'half-open'
  | 'power-cut'
  | 'slow-disk'
  | 'failing-disk'
  | 'full-disk'
  | 'torn-batch'
  | 'lost-row'
  | 'flipped-bit'
  | 'clock-drift'
  | 'clock-jump'

/** What happens to programs on hardware that keeps its promises, and on links that do not keep theirs. */
export const faultKinds: readonly FaultKind[] = [
  'delay',
  'loss',
  'duplicate',
  'reorder',
  'bandwidth',
  'partition',
  'one-way',
  'cut',
  'half-open',
  'power-cut',
  'slow-disk',
  'failing-disk',
  'full-disk',
  'clock-drift',
  'clock-jump',
]

/** What only broken disks do. A program that does not check what it reads is right to lose data by them. */
export const damageKinds: readonly FaultKind[] = ['torn-batch', 'lost-row', 'flipped-bit']

/** Strength in (0, 1] of each kind that is on. */
export type Swarm = Readonly<Partial<Record<FaultKind, number>>>

export function drawSwarm(random: () => number, kinds: readonly FaultKind[]): Swarm {
  const swarm: Partial<Record<FaultKind, number>> = {}
  for (const kind of new Set(kinds)) {
    // Two draws for every kind, so that a change of one leaves the others.
    const on = random() < 0.5
    const strength = 1 - random()
    if (on) swarm[kind] = strength
  }
  return swarm
}

/** `loss 0.12, power-cut 0.80`, or `no faults`. */
export function formatSwarm(swarm: Swarm): string {
  const parts = Object.entries(swarm).map(([kind, strength]) => `${kind} ${strength.toFixed(2)}`)
  return parts.length === 0 ? 'no faults' : parts.join(', ')
}
