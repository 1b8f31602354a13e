/** Every bound of the project, each with its unit and reason where it is defined. A queue, buffer, loop or name without a row is a bug. */
import { codecLimits } from './limits/codec.ts'
import { databaseLimits } from './limits/database.ts'
import { kernelLimits } from './limits/kernel.ts'
import { replicaLimits } from './limits/replica.ts'
import { supervisorLimits } from './limits/supervisor.ts'
import { syncLimits } from './limits/sync.ts'
import { topologyLimits } from './limits/topology.ts'
import { transportLimits } from './limits/transport.ts'

export const limits: typeof kernelLimits &
  typeof supervisorLimits &
  typeof transportLimits &
  typeof syncLimits &
  typeof codecLimits &
  typeof replicaLimits &
  typeof databaseLimits &
  typeof topologyLimits = {
  ...kernelLimits,
  ...supervisorLimits,
  ...transportLimits,
  ...syncLimits,
  ...codecLimits,
  ...replicaLimits,
  ...databaseLimits,
  ...topologyLimits,
}
