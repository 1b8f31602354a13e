/** The conflict inbox, as an application sees it. */
import { limits } from '../../runtime/index.ts'
import type { Conflict, Database } from '../database/index.ts'
import { bounded, boundedWrite } from './deadline.ts'
import type { WaitOptions } from './deadline.ts'

export interface ConflictsOptions extends WaitOptions {
  /** At most so many, up to 1,000; default 100. */
  readonly limit?: number
  /** Id of the entry after which the list goes on. */
  readonly after?: string
}

export function listConflicts(database: Database, options: ConflictsOptions): Promise<Conflict[]> {
  const { limit = limits.inboxListed, after } = options
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > limits.inboxListedMax) {
    throw new TypeError(`limit: expected a whole number from 1 to ${limits.inboxListedMax}`)
  }
  if (after !== undefined && typeof after !== 'string')
    throw new TypeError('after: expected the id of an entry')
  const work = database.request<Conflict[]>((reply) => ({ type: 'inbox.list', limit, after, reply }))
  return bounded(database.env, 'conflicts', options, work)
}

export function dismissConflict(database: Database, id: string, options: WaitOptions): Promise<boolean> {
  if (typeof id !== 'string') throw new TypeError('id: expected the id of an entry')
  const dismiss = (): Promise<boolean> =>
    database.request<boolean>((reply) => ({ type: 'inbox.dismiss', id, reply }))
  return boundedWrite(database.env, 'dismissConflict', options, dismiss)
}
