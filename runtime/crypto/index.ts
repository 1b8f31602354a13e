/** Door of the crypto folder within the runtime: two providers behind one interface, nothing else. */
export type { Aead, CryptoProvider, P256Key, ScryptCost, Signer, Verifier } from './crypto-provider.ts'
export { AEAD_KEY_BYTES, AEAD_NONCE_BYTES, AEAD_TAG_BYTES, P256_PUBLIC_KEY_BYTES } from './crypto-provider.ts'
export { nodeCrypto } from './node-crypto.ts'
export { nobleCrypto } from './noble-crypto.ts'
