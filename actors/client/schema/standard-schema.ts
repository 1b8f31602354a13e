/**
 * The interface of Standard Schema, version 1 (standardschema.dev), that schema libraries implement. Types only.
 * Invariant: nothing is added to it, so a schema of any such library fits as it is.
 */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  readonly '~standard': StandardProps<Input, Output>
}

interface StandardProps<Input, Output> {
  readonly version: 1
  readonly vendor: string
  readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
  /** For inference; never there at run time. */
  readonly types?: { readonly input: Input; readonly output: Output } | undefined
}

export type StandardResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] }

export interface StandardIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** What a schema takes. */
export type InputOf<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['input']
/** What it makes of that. */
export type OutputOf<S extends StandardSchemaV1> = NonNullable<S['~standard']['types']>['output']
