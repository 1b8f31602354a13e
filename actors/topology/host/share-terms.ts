/** Who may have what of a shared database at one moment. Invariant: never changed; new terms are another object. */
import { equalBytes, toHex } from '../../../runtime/index.ts'
import type { CryptoProvider } from '../../../runtime/index.ts'
import { compilePolicy } from '../policy/index.ts'
import type { CompiledPolicy, ExportPolicy } from '../policy/index.ts'

/** What a guest asks for, and what an app may have. */
export type GuestMode = 'readOnly' | 'readWrite'

/** By app id. */
export type Grants = Readonly<Record<string, GuestMode>>

export class ShareTerms {
  readonly policy: CompiledPolicy
  /** Undefined: every app of the group may come in. */
  readonly grants: Grants | undefined

  constructor(policy: ExportPolicy, grants: Grants | undefined, crypto: CryptoProvider) {
    this.policy = compilePolicy(policy.rules, crypto)
    this.grants = grants
  }

  /** In hexadecimal. */
  get version(): string {
    return toHex(this.policy.version)
  }

  /** As far as policy and grants go together; undefined for an app that may not come in. */
  modeOf(app: string): GuestMode | undefined {
    const { grants, policy } = this
    if (grants === undefined) return policy.readOnly ? 'readOnly' : 'readWrite'
    const grant = Object.hasOwn(grants, app) ? grants[app] : undefined
    return grant === 'readWrite' && policy.readOnly ? 'readOnly' : grant
  }

  sameRules(other: ShareTerms): boolean {
    return equalBytes(this.policy.version, other.policy.version)
  }
}
