/** Restores a backup in a process of its own; prints a line for each report of its progress. */
import { writeSync } from 'node:fs'
import { BlazeDBClient } from '../../../actors/client/index.ts'

const [from = '', at = ''] = process.argv.slice(2)
const options = { from, at, name: 'child', key: new Uint8Array(32).fill(4) }
const db = await BlazeDBClient.restore({ ...options, onProgress: () => writeSync(1, 'on\n') })
await db.close()
