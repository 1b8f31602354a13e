/**
 * A self-signed TLS certificate made in memory. It proves nothing about who we are and is not meant to: identity comes from
 * the secure channel, which is bound to the TLS session. Its key never leaves the process.
 */
import { toHex } from '../runtime/index.ts'
import type { Env } from '../runtime/index.ts'

/** PEM texts. */
export interface Certificate {
  readonly certificate: string
  readonly privateKey: string
}

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
/** Nobody checks the dates; a clock that is wrong by days must not matter either. */
const VALID_MS = 10 * 365 * 86_400_000

export async function createCertificate(env: Env): Promise<Certificate> {
  // Loaded here: it takes longer than all of our own modules, and a process that only dials never needs it.
  await import('reflect-metadata')
  const { X509CertificateGenerator } = await import('@peculiar/x509')
  const keys = await globalThis.crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    // The leading 01 keeps it positive.
    serialNumber: `01${toHex(env.entropy(15))}`,
    name: 'CN=blazedb',
    notBefore: new Date(env.now() - VALID_MS),
    notAfter: new Date(env.now() + VALID_MS),
    signingAlgorithm: ALGORITHM,
    keys,
  })
  const pkcs8 = Buffer.from(await globalThis.crypto.subtle.exportKey('pkcs8', keys.privateKey))
  return {
    certificate: certificate.toString('pem'),
    privateKey: `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64')}\n-----END PRIVATE KEY-----\n`,
  }
}
