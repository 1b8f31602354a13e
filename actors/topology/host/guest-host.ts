/** What the cell of a guest is given by the share that it belongs to. */
import type { CryptoProvider } from '../../../runtime/index.ts'
import type { Database } from '../../database/index.ts'
import type { AppGroup, AppIdentity } from '../group/index.ts'
import type { ShareTerms } from './share-terms.ts'

export interface GuestHost {
  readonly database: Database
  readonly crypto: CryptoProvider
  readonly group: AppGroup
  readonly app: AppIdentity
  /** Those of now. */
  terms(): ShareTerms
  /** Newest synced arrival, as far as guests were told of changes. */
  arrival(): number
  /** The status of a guest is another. */
  moved(): void
}
