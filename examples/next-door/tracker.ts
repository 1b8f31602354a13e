/**
 * A bug tracker that shares its database with the app next door: `npx tsx examples/next-door/tracker.ts`, and the dashboard of the
 * same folder in another terminal, in any order. Ctrl-C ends it.
 *
 * Invariant: the dashboard gets open bugs only, never their notes, and changes only what it gets, however it is written.
 */
// In your own project: from 'blazedb'.
import { BlazeDBClient, ExportPolicy } from '../../actors/index.ts'
import { pause, startProgram } from './program.ts'

const titles = [
  'Login fails on Monday',
  'Button too small',
  'Typo on the start page',
  'Crash without network',
]
const stepMs = 800
const openMax = 3

const { appGroup, stop, say } = startProgram('tracker')

const db = await BlazeDBClient.open({ name: 'Bugs', at: './next-door-data', password: 'a long password' })
const bugs = db.collection('bugs')
const openBugs = bugs.query().where('status', '=', 'open')

await db.enableCrossAppSync({
  appGroup,
  app: 'tracker',
  exportPolicy: new ExportPolicy({
    collections: ['bugs'],
    fields: { exclude: ['notes'] },
    filter: { bugs: { field: 'status', op: '=', value: 'open' } },
  }),
  grants: { dashboard: 'readWrite' },
})
say('shared, waiting for the dashboard')

// A vote of the dashboard arrives like any other change.
bugs.query().live(({ changed }) => {
  for (const { title, status, votes } of changed) say('changed:', title, 'is', status, 'with votes:', votes)
})

for (let n = 0; !stop.aborted; n += 1) {
  const title = `${titles[n % titles.length]}, report ${n + 1}`
  await bugs.insert({ title, status: 'open', votes: 0, notes: 'only for the team' })
  say('filed:', title)
  await pause(stepMs, stop)

  // What is closed leaves the filter, and so the dashboard.
  const open = await openBugs.all()
  const [oldest] = open.sort((a, b) => (a.id < b.id ? -1 : 1))
  if (oldest !== undefined && open.length > openMax) await bugs.update(oldest.id, { status: 'closed' })
  await pause(stepMs, stop)
}

await db.close()
say('closed')
