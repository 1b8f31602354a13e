/** Door of the Noise core within the transports: handshakes in, transport ciphers out; sends nothing itself. */
export { NOISE_PLAINTEXT_BYTES_MAX } from './cipher-state.ts'
export type { CipherState } from './cipher-state.ts'
export { createP256Dh } from './dh-function.ts'
export type { DhFunction, DhKey } from './dh-function.ts'
export { createHandshake } from './handshake.ts'
export type { Handshake, HandshakeOptions } from './handshake.ts'
export type { BasePattern, PatternName } from './pattern.ts'
