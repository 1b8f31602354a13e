/**
 * Door of the crypto folder within the runtime: one interface and its native provider. The portable one, `noble-crypto.ts`, is imported by
 * name where it is wanted: it costs 14 MiB of memory that a supervisor should not pay. */
export type {
  Aead,
  CryptoProvider,
  Hmac,
  HpkeContext,
  P256Key,
  ScryptCost,
  Signer,
  Verifier,
} from './crypto-provider.ts'
export { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES, P256_PUBLIC_KEY_BYTES } from './crypto-provider.ts'
export { nodeCrypto } from './node-crypto.ts'
export { redacted } from './redacted.ts'
