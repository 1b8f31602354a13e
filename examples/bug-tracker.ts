/**
 * A bug tracker and its dashboard: two databases of one app share data, and one of them syncs through a supervisor that cannot read it.
 *
 * Invariant: it leaves nothing running, and what it says happened was read back from the databases.
 *
 * Start a supervisor (`npm start`), then: `npx tsx examples/bug-tracker.ts 'blazedb://…' ./bug-tracker-data`
 */
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
// In your own project: from 'blazedb'.
import { BlazeDBClient, BlazeError, BlazeTopology, RemoteNode, SyncPolicy } from '../actors/index.ts'
import type { Collection } from '../actors/index.ts'

export interface BugTrackerOptions {
  /** Holds both databases; made when it is not there. */
  readonly directory: string
  /** As `blazedb serve` and `blazedb enroll` print it. */
  readonly enrolmentCode: string
}

export interface BugTrackerResult {
  /** Titles of the open bugs, as the dashboard sees them. */
  readonly openBugs: readonly string[]
  /** Bugs that the dashboard sees, open or not. */
  readonly bugs: number
  /** Code with which the dashboard was refused when it wrote. */
  readonly refusal: string
  /** State of sync at the end. */
  readonly sync: string
  /** The same, as a sentence. */
  readonly why: string
}

/** Rejects when it does not end within about a minute. */
export async function run({ directory, enrolmentCode }: BugTrackerOptions): Promise<BugTrackerResult> {
  const bugs = await BlazeDBClient.open({ name: 'Bugs', at: join(directory, 'bugs'), password: 'pass' })
  const dashboard = await BlazeDBClient.open({
    name: 'Dashboard',
    at: join(directory, 'dashboard'),
    password: 'pass',
  })
  try {
    // An app writes to its own database, at once and without any network.
    const tracker = bugs.collection('bugs')
    const [crash] = await tracker.insertMany([
      { title: 'Crash when the list is empty', status: 'open', priority: 1 },
      { title: 'Button too small on phones', status: 'open', priority: 3 },
    ])

    // Next door: the dashboard sees the bugs, live, and may not change them.
    await BlazeTopology.connectLocal({ from: bugs, to: dashboard, mode: 'readOnly' })
    const view = dashboard.collection('bugs')
    const refusal = await refusalOf(view.insert({ title: 'Written by the dashboard' }))

    // Elsewhere: an encrypted copy on the supervisor, for the other devices of the team.
    const sync = await bugs.enableSync({
      remote: RemoteNode.parse(enrolmentCode),
      database: 'bugs',
      policy: new SyncPolicy({ encryption: 'e2eOnly' }),
    })

    // What changes now reaches the dashboard and the supervisor by itself.
    if (crash !== undefined) await tracker.update(crash, { status: 'closed' })
    await tracker.insert({ title: 'Typo on the start page', status: 'open', priority: 2 })
    await untilSeen(view, 'Typo on the start page')
    await sync.caughtUp({ timeoutMs: 20_000 })

    const open = await view.query().where('status', '=', 'open').all()
    return {
      openBugs: open.map(({ title }) => (typeof title === 'string' ? title : '?')).sort(),
      bugs: await view.query().count(),
      refusal,
      sync: sync.status().state,
      why: sync.why(),
    }
  } finally {
    await dashboard.close()
    await bugs.close()
  }
}

async function refusalOf(write: Promise<unknown>): Promise<string> {
  try {
    await write
  } catch (error) {
    if (error instanceof BlazeError) return error.code
    throw error
  }
  return 'none'
}

/** Follows the bugs until one with this title is there; gives up after ten seconds. */
async function untilSeen(bugs: Collection, title: string): Promise<void> {
  const live = bugs.query().where('title', '=', title).live()
  const patience = setTimeout(() => live.close(), 10_000)
  try {
    for await (const { added } of live) if (added.length > 0) return
  } finally {
    clearTimeout(patience)
  }
  throw new Error(`the dashboard did not see "${title}" within ten seconds`)
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const [enrolmentCode, directory = './bug-tracker-data'] = process.argv.slice(2)
  if (enrolmentCode === undefined) {
    process.stderr.write("usage: npx tsx examples/bug-tracker.ts 'blazedb://…' [directory]\n")
    process.exit(2)
  }
  const { openBugs, bugs, refusal, why } = await run({ directory, enrolmentCode })
  process.stdout.write(`the dashboard sees ${bugs} bugs, open: ${openBugs.join('; ')}\n`)
  process.stdout.write(`the dashboard may not write: ${refusal}\n`)
  process.stdout.write(`${why}\n`)
}
