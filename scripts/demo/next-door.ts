/**
 * The dashboard's part of the demo: an app in another process of this machine, which sees and writes what it may.
 *
 * Invariant: what it may not see is looked for there, and what it wrote is read back here, before a line is said.
 */
import { join } from 'node:path'
import { ExportPolicy } from '../../actors/index.ts'
import type { BlazeDBClient, Collection } from '../../actors/index.ts'
import { Child } from '../process/child.ts'
import { beginStep } from '../process/progress-step.ts'
import type { Stage } from '../process/stage.ts'
import { appGroupId, collectionName, syncMs, withheldField } from './agreement.ts'
import type { DashboardCalls } from './dashboard-calls.ts'
import { describe, transferOf } from './transfer.ts'
import type { Transfer } from './transfer.ts'

export interface DashboardResult extends Transfer {
  /** A field that the dashboard may not see; how many records have it in the app, and there. */
  readonly withheld: { readonly field: string; readonly app: number; readonly dashboard: number }
  /** Code with which the dashboard was refused when it wrote that field. */
  readonly refusal: string
}

/** Resolves with the process of the dashboard, connected. */
export async function showDashboard(
  { stage, say }: { stage: Stage; say: (label: string, text: string) => void },
  app: BlazeDBClient,
): Promise<{ dashboard: Child<DashboardCalls>; result: DashboardResult }> {
  const cities = app.collection(collectionName)
  const { records } = app.status()
  const group = join(stage.directory, 'group')
  const exportPolicy = new ExportPolicy({
    collections: [collectionName],
    fields: { exclude: [withheldField] },
  })
  await app.enableCrossAppSync({
    appGroup: { id: appGroupId, directory: group },
    app: 'cities',
    exportPolicy,
    grants: { dashboard: 'readWrite' },
  })
  const dashboard = new Child<DashboardCalls>(stage, {
    name: 'dashboard',
    module: './dashboard',
    base: import.meta.url,
  })
  const step = beginStep('the dashboard connects', records)
  const connected = await dashboard.call('connect', { group }, { timeoutMs: syncMs })
  step.end()
  if (connected.records !== records)
    throw new Error(`the dashboard has ${connected.records} of ${records} records`)
  const transfer = transferOf(records, connected.ms)
  say('dashboard', `${describe(transfer)} to an app in another process, over a Unix socket`)
  const withheld = await countWithheld(cities, dashboard)
  const refusal = await writeThere(cities, dashboard)
  const { field } = withheld
  say('', `it is not shown the field ${field}; when it writes that one: ${refusal}; its other writes arrive`)
  return { dashboard, result: { ...transfer, withheld, refusal } }
}

async function countWithheld(
  cities: Collection,
  dashboard: Child<DashboardCalls>,
): Promise<DashboardResult['withheld']> {
  const docs = await cities.query().all({ timeoutMs: syncMs })
  const here = docs.filter((doc) => withheldField in doc).length
  const there = await dashboard.call('having', { field: withheldField }, { timeoutMs: syncMs })
  if (here === 0 || there > 0)
    throw new Error(`the field ${withheldField} is in ${here} records here and in ${there} of the dashboard`)
  return { field: withheldField, app: here, dashboard: there }
}

/** One write that the dashboard may do, and one that it may not. Resolves with the code of the refusal. */
async function writeThere(cities: Collection, dashboard: Child<DashboardCalls>): Promise<string> {
  const [city] = await cities.query().limit(1).all({ timeoutMs: syncMs })
  if (city === undefined) throw new Error('there is no record to write to')
  const { id } = city
  const write = (patch: Record<string, string>): Promise<string> =>
    dashboard.call('write', { id, patch }, { timeoutMs: syncMs })
  const fault = await write({ starred: 'by the dashboard' })
  if ((await cities.get(id))?.starred !== 'by the dashboard')
    throw new Error(`a write of the dashboard did not arrive: ${fault}`)
  const refusal = await write({ [withheldField]: 'by the dashboard' })
  if (refusal !== 'FORBIDDEN' || (await cities.get(id))?.[withheldField] !== city[withheldField])
    throw new Error(`the dashboard could write what it may not see: ${refusal}`)
  return refusal
}
