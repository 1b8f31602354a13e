/** Records that a team has before anything happens to it. */
import { counter, max, min, set } from '../../../actors/index.ts'
import type { BlazeDBClient } from '../../../actors/index.ts'
import type { TeamOracle } from './oracle.ts'

export const sharedIds = ['hot', 'warm'] as const
export const accountIds = ['north', 'south', 'west'] as const
export const phoenixIds = ['ash', 'ember', 'spark'] as const

export async function beginTeam(client: BlazeDBClient, oracle: TeamOracle): Promise<void> {
  for (const id of sharedIds) {
    const attempt = oracle.begin(client.name, [
      { kind: 'last', record: id, token: 'first', over: '' },
      { kind: 'max', record: id, value: 0 },
      { kind: 'min', record: id, value: 0 },
    ])
    await client
      .collection('shared')
      .insert({ id, last: 'first', count: counter(), elements: set(), max: max(0), min: min(0) })
    attempt.acknowledged = true
  }
  for (const id of accountIds) await client.collection('accounts').insert({ id, count: counter() })
}
