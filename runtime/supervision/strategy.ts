/** What distinguishes the strategies of supervision; each is a small file beside this one. */

export interface Strategy {
  /** `together`: restarts of all children use up one allowance, as in OTP. `each`: every child has its own. */
  readonly counts: 'together' | 'each'
  /**
   * Children that restart when `crashed` does, in the order of their start, itself included. Undefined: it alone, and the others
   * need not be looked at.
   */
  affected?<T>(inOrder: readonly T[], crashed: T): readonly T[]
}
