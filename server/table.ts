/** `blazedb status` and `blazedb peers` for people: what runs, what it hosts, who is connected, and every actor. Columns are as wide as their widest cell. */
import { formatDuration, formatMebibytes } from './operations/index.ts'
import type { Status } from './status.ts'

export function formatStatus(status: Status, nowMs: number): string {
  const health = status.ok ? 'healthy' : `not healthy: ${status.failed.join(', ')}`
  const sections = [
    [
      `BlazeDB supervisor ${status.version}: ${health}`,
      `device ${status.device}`,
      `up ${formatDuration(status.uptimeMs)}, ${formatMebibytes(status.rssBytes)}, process ${status.pid}`,
      `listens on ${status.listen.join(', ')}${status.ops === null ? '' : `, status page ${status.ops}/`}`,
      `${status.clients} clients connected, ${status.hosts} devices may host`,
    ].join('\n'),
    status.databaseList.length === 0
      ? 'No databases yet.'
      : formatTable(
          ['DATABASE', 'SPACE', 'STATE', 'RECORDS', 'SIZE', 'RELAYS', ''],
          status.databaseList.map(({ name, space, state, records, bytes, quotaBytes, clients, error }) => [
            name,
            space,
            state,
            records === null ? '-' : String(records),
            formatSize(bytes, quotaBytes),
            String(clients),
            error ?? '',
          ]),
        ),
    formatTable(
      ['ACTOR', 'KIND', 'STATE', 'SINCE', 'RESTARTS', 'MAILBOX', ''],
      status.actors.map(({ path, kind, state, since, restarts, mailbox, lastError }) => [
        path,
        kind,
        state,
        formatDuration(nowMs - since),
        String(restarts),
        `${mailbox.depth}/${mailbox.max}`,
        lastError ?? '',
      ]),
    ),
  ]
  return sections.join('\n\n')
}

/** `blazedb peers` for people. */
export function formatPeers({ peers }: Status, nowMs: number): string {
  if (peers.length === 0) return 'No device is connected.'
  return formatTable(
    ['DEVICE', 'ADDRESS', 'SINCE', 'SPACES'],
    peers.map(({ device, remote, sinceMs, spaces }) => [
      device,
      remote,
      formatDuration(nowMs - sinceMs),
      String(spaces),
    ]),
  )
}

/** `12.0 MiB of 512.0 MiB`. */
function formatSize(bytes: number | null, quotaBytes: number | null): string {
  if (bytes === null) return '-'
  return quotaBytes === null
    ? formatMebibytes(bytes)
    : `${formatMebibytes(bytes)} of ${formatMebibytes(quotaBytes)}`
}

function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows]
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
