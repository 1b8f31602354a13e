/** For the long lane: `slow-peer-program ROUNDS` writes each of 1,000 records so often and prints what `slow-peer-load` saw as a line of JSON. */
import { overwriteBeside } from './slow-peer-load.ts'

const RECORDS = 1_000
const before = process.memoryUsage().rss
const seen = await overwriteBeside(RECORDS, Number(process.argv[2]))
process.stdout.write(
  `${JSON.stringify({ ...seen, records: RECORDS, rssGrowth: process.memoryUsage().rss - before })}\n`,
)
