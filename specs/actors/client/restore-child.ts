/** Restores a backup in a process of its own; prints a line for each report of its progress. */
import { BlazeDBClient } from '../../../actors/client/index.ts'
import { say } from '../../fixtures/say.ts'

const [from = '', at = ''] = process.argv.slice(2)
const options = { from, at, name: 'child', key: new Uint8Array(32).fill(4) }
const db = await BlazeDBClient.restore({ ...options, onProgress: () => say('on') })
await db.close()
