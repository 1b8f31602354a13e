/** The five roles of a team and what each may do. Numbers are the wire's (PROTOCOL §5) and never change. */

export type Role = 'owner' | 'admin' | 'writer' | 'reader' | 'relay'

const numbers: Readonly<Record<Role, number>> = { owner: 1, admin: 2, writer: 3, reader: 4, relay: 5 }
const roles = new Map<number, Role>(
  (['owner', 'admin', 'writer', 'reader', 'relay'] as const).map((role) => [numbers[role], role]),
)

export function roleNumber(role: Role): number {
  return numbers[role]
}

/** Undefined for a number that is no role. */
export function roleOfNumber(number: number): Role | undefined {
  return roles.get(number)
}

/** May this role's own envelopes be accepted? */
export function mayWrite(role: Role): boolean {
  return role === 'owner' || role === 'admin' || role === 'writer'
}

/** May this role author entries that change the team? */
export function mayAdminister(role: Role): boolean {
  return role === 'owner' || role === 'admin'
}

/** May `author` give `role` by adding a device? An admin cannot raise anyone above itself. */
export function mayGrant(author: Role, role: Role): boolean {
  return author === 'owner' || (author === 'admin' && role !== 'owner')
}

/** An invite is redeemed unattended, so it gives no power over the team. */
export function mayBeInvited(role: Role): boolean {
  return role === 'writer' || role === 'reader'
}
