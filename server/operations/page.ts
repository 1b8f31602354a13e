/**
 * The status page: one list of all actors with their states, rendered here, so that it needs no script and no network.
 *
 * Invariant: every value is escaped; nothing in it can become markup.
 */
import type { CellInfo } from '../../runtime/index.ts'
import type { DatabaseStatus, Status } from '../status.ts'

/** Seconds between two reloads by the browser. */
const refreshSeconds = 5

const style = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .4rem }
p { margin: .3rem 0 } .scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid #8884; vertical-align: top; white-space: nowrap }
td.wrap { white-space: normal } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
code { font-family: ui-monospace, monospace; font-size: .9em }
.bad { color: #c62828; font-weight: 600 } .ok { color: #2e7d32 } .dim { opacity: .65 }
@media (prefers-color-scheme: dark) { .bad { color: #ff8a80 } .ok { color: #81c784 } }`

export function renderPage(status: Status, nowMs: number): string {
  const health = status.ok
    ? '<span class="ok">healthy</span>'
    : `<span class="bad">not healthy: ${escape(status.failed.join(', '))}</span>`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="${refreshSeconds}">
<title>BlazeDB supervisor</title>
<style>${style}</style>
</head>
<body>
<h1>BlazeDB supervisor</h1>
<p>${health} · version ${escape(status.version)} · up ${formatDuration(status.uptimeMs)} · ${formatMebibytes(status.rssBytes)} · process ${status.pid}</p>
<p>Listens on ${status.listen.map((url) => `<code>${escape(url)}</code>`).join(', ')}.
${status.clients} clients connected, ${status.databases} databases, ${status.hosts} devices may host.</p>
${status.enrolmentOpen ? '<p>The first enrolment code has not been used yet; the supervisor printed it when it started.</p>' : ''}
<h2>Databases</h2>
${status.databaseList.length === 0 ? '<p class="dim">None yet.</p>' : renderDatabases(status.databaseList)}
<h2>Actors</h2>
${renderActors(status.actors, nowMs)}
<p class="dim">Reloads every ${refreshSeconds} seconds. The same as JSON: <a href="/status">/status</a>, <a href="/healthz">/healthz</a>.</p>
</body>
</html>
`
}

function renderDatabases(databases: readonly DatabaseStatus[]): string {
  const rows = databases.map(
    ({ name, space, state, records, clients, error }) =>
      `<tr><td>${escape(name)}</td><td><code>${escape(space)}</code></td><td>${renderState(state)}</td>` +
      `<td class="n">${records ?? '–'}</td><td class="n">${clients}</td><td class="wrap">${escape(error ?? '')}</td></tr>`,
  )
  return table(
    '<th>Name</th><th>Space</th><th>State</th><th class="n">Records</th><th class="n">Relays</th><th></th>',
    rows,
  )
}

function renderActors(actors: readonly CellInfo[], nowMs: number): string {
  const rows = actors.map(
    ({ path, kind, state, since, restarts, mailbox, lastError }) =>
      `<tr><td><code>${escape(path)}</code></td><td>${escape(kind)}</td><td>${renderState(state)}</td>` +
      `<td>${formatDuration(nowMs - since)}</td><td class="n">${restarts}</td>` +
      `<td class="n">${mailbox.depth} / ${mailbox.max}</td><td class="wrap">${escape(lastError ?? '')}</td></tr>`,
  )
  return table(
    '<th>Actor</th><th>Kind</th><th>State</th><th>Since</th><th class="n">Restarts</th><th class="n">Mailbox</th><th>Last error</th>',
    rows,
  )
}

function table(head: string, rows: readonly string[]): string {
  return `<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table></div>`
}

function renderState(state: string): string {
  const bad = state === 'failed' || state === 'stopped' || state === 'restarting'
  return bad ? `<span class="bad">${escape(state)}</span>` : escape(state)
}

function escape(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

/** For people: the two largest units. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

export function formatMebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(0)} MiB`
}
