/**
 * A dashboard of the bugs that the tracker shares: `npx tsx examples/next-door/dashboard.ts`. Ctrl-C ends it.
 *
 * Invariant: it has no password of the tracker's; it reads from a copy of what it may see, also while the tracker is away.
 */
import { format } from 'node:util'
// In your own project: from 'blazedb'.
import { BlazeDBClient, BlazeError } from '../../actors/index.ts'
import { pause, startProgram } from './program.ts'

const stepMs = 2_000

const { appGroup, stop, say } = startProgram('dashboard')

say('waiting for the tracker')
const db = await BlazeDBClient.connectToShared({
  appGroup,
  app: 'dashboard',
  database: 'Bugs',
  mode: 'readWrite',
  timeoutMs: Infinity,
  signal: stop,
}).catch((error: unknown) => {
  if (!stop.aborted) throw error
  process.exit()
})
const bugs = db.collection('bugs')

// The table follows what the tracker commits.
const rows = new Map<string, string>()
bugs.query().live(({ added, changed, removed }) => {
  for (const { id, title, votes } of [...added, ...changed])
    rows.set(id, format('%d votes  %s', votes, title))
  for (const id of removed) rows.delete(id)
  say([`${rows.size} open bugs`, ...rows.values()].join('\n  '))
})

/** Says how a write ended: the tracker decides each, and its answer is a code. */
async function attempt(what: string, write: Promise<void>): Promise<void> {
  try {
    await write
    say(what, 'done')
  } catch (error) {
    if (!(error instanceof BlazeError)) throw error
    say(what, error.code)
  }
}

for (let tried = false; !stop.aborted; await pause(stepMs, stop)) {
  const bug = await bugs.query().first()
  if (bug === undefined) continue
  await attempt('a vote:', bugs.update(bug.id, { votes: Number(bug.votes) + 1 }))
  if (tried) continue
  tried = true
  say('fields that are shared:', Object.keys(bug).sort().join(', '))
  await attempt('a change of its notes:', bugs.update(bug.id, { notes: 'from the dashboard' }))
}

await db.close()
say('closed')
