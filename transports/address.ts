/**
 * Whom bounds per address count as one: an IPv4 address, or the /64 that one line is given under IPv6.
 *
 * Invariant: whoever may choose among 2^64 addresses counts once, and one machine counts once however it is written.
 */

const MAPPED_FORM = /^(?:::|(?:0:){5})ffff:(\d+\.\d+\.\d+\.\d+)$/i
/** An IPv6 address alone: two colons stand in nothing else. */
const BARE_FORM = /^([^[\]]*:[^[\]]*:[^[\]]*)$/
/** Groups of 16 bits in an IPv6 address, and those of its /64. */
const GROUPS = 8
const LINE_GROUPS = 4

/** `remote` is a host, or `host:port` with an IPv6 host in brackets; a name stands for itself. */
export function addressOf(remote: string): string {
  const [, bracketed] = /^\[([^\]]*)\](?::\d+)?$/.exec(remote) ?? BARE_FORM.exec(remote) ?? []
  if (bracketed === undefined) {
    const colon = remote.lastIndexOf(':')
    return colon > 0 ? remote.slice(0, colon) : remote
  }
  const [host = ''] = bracketed.split('%')
  return MAPPED_FORM.exec(host)?.[1] ?? lineOf(host)
}

function lineOf(host: string): string {
  const [before = '', after] = host.toLowerCase().split('::')
  const head = groupsOf(before)
  const tail = after === undefined ? [] : groupsOf(after)
  const zeros = after === undefined ? 0 : Math.max(0, GROUPS - head.length - tail.length)
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail]
  return `${groups.slice(0, LINE_GROUPS).join(':')}::/64`
}

function groupsOf(part: string): string[] {
  if (part === '') return []
  return part
    .split(':')
    .flatMap((group) => (group.includes('.') ? ['0', '0'] : [group.replace(/^0+(?=.)/, '')]))
}
