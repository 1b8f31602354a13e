/**
 * Requests on the control socket, both ends: what `blazedb enroll`, `blazedb status` and `blazedb rotate-key` ask of a running supervisor.
 *
 * Invariant: an answer of another shape than expected is an error, never a guess.
 */
import { z } from 'zod'
import { BlazeError, ERRORS } from '../runtime/index.ts'
import type { Env, ErrorCode } from '../runtime/index.ts'
import { askControl } from '../transports/index.ts'
import type { ControlPlace } from '../transports/index.ts'
import type { Status } from './status.ts'

const requestShape = z.discriminatedUnion('op', [
  z.strictObject({ op: z.literal('enroll') }),
  z.strictObject({ op: z.literal('status') }),
  z.strictObject({ op: z.literal('rotate-key') }),
])

type ControlRequest = z.infer<typeof requestShape>

const answerShape = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), result: z.unknown() }),
  z.object({ ok: z.literal(false), code: z.string(), message: z.string() }),
])

const serverKeyShape = z.object({ serverKey: z.string() })
const enrolmentShape = z.object({ enrolment: z.string() })

const askMs = 5_000

export interface ControlTarget {
  /** URL of a new enrolment code. */
  createCode(): Promise<string>
  status(): Status
  /** Resolves with the new server key, hexadecimal. */
  rotateKey(): Promise<string>
}

/** Never rejects: faults are answers. */
export async function answerControl(target: ControlTarget, request: unknown): Promise<unknown> {
  const parsed = requestShape.safeParse(request)
  if (!parsed.success)
    return {
      ok: false,
      code: 'NOT_SUPPORTED',
      message: 'expected {"op":"enroll"}, {"op":"status"} or {"op":"rotate-key"}',
    }
  try {
    switch (parsed.data.op) {
      case 'enroll':
        return { ok: true, result: { enrolment: await target.createCode() } }
      case 'status':
        return { ok: true, result: target.status() }
      case 'rotate-key':
        return { ok: true, result: { serverKey: await target.rotateKey() } }
    }
  } catch (error) {
    if (!(error instanceof BlazeError)) throw error
    return { ok: false, code: error.code, message: error.message }
  }
}

/** Another enrolment code of the supervisor that runs there. `NO_SUPERVISOR` when none does. */
export async function requestCode(options: { place: ControlPlace; env: Env }): Promise<string> {
  const parsed = enrolmentShape.safeParse(await ask(options, { op: 'enroll' }))
  if (!parsed.success) throw new BlazeError('PROTOCOL_VIOLATION', 'the supervisor answered without a code')
  return parsed.data.enrolment
}

/** Has the supervisor that runs there take a new key; resolves with it. `NO_SUPERVISOR` when none runs there. */
export async function requestKeyChange(options: { place: ControlPlace; env: Env }): Promise<string> {
  const parsed = serverKeyShape.safeParse(await ask(options, { op: 'rotate-key' }))
  if (!parsed.success) throw new BlazeError('PROTOCOL_VIOLATION', 'the supervisor answered without a key')
  return parsed.data.serverKey
}

/** `NO_SUPERVISOR` when none runs there. */
export async function requestStatus(options: { place: ControlPlace; env: Env }): Promise<Status> {
  const result = await ask(options, { op: 'status' })
  if (!isStatus(result))
    throw new BlazeError('PROTOCOL_VIOLATION', 'the supervisor answered without a status')
  return result
}

async function ask(options: { place: ControlPlace; env: Env }, request: ControlRequest): Promise<unknown> {
  const { place, env } = options
  const answer = answerShape.safeParse(await reach(place, env, request))
  if (!answer.success)
    throw new BlazeError('PROTOCOL_VIOLATION', `${place.path} answers, but not as a supervisor`)
  if (answer.data.ok) return answer.data.result
  const { code, message } = answer.data
  throw new BlazeError(isCode(code) ? code : 'REFUSED', message)
}

async function reach(place: ControlPlace, env: Env, request: ControlRequest): Promise<unknown> {
  try {
    return await askControl({ place, request, timeoutMs: askMs, env })
  } catch (error) {
    if (error instanceof BlazeError && error.code === 'UNREACHABLE')
      throw new BlazeError('NO_SUPERVISOR', `no supervisor answers on ${place.path}`, { cause: error })
    throw error
  }
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERRORS, code)
}

/** Both ends are the same program; the shape is checked as far as the table needs it. */
function isStatus(value: unknown): value is Status {
  return (
    typeof value === 'object' &&
    value !== null &&
    'actors' in value &&
    Array.isArray(value.actors) &&
    'databaseList' in value &&
    Array.isArray(value.databaseList) &&
    'peers' in value &&
    Array.isArray(value.peers) &&
    'uptimeMs' in value &&
    typeof value.uptimeMs === 'number'
  )
}
