/** Every decoder that bytes of a peer, of a disk or of a person reach, in groups. Invariant: a name stands once. */
import type { FuzzTarget } from './fuzz.ts'
import { channelTargets } from './target/channel.ts'
import { databaseTargets } from './target/database.ts'
import { fileTargets } from './target/file.ts'
import { relayTargets } from './target/relay.ts'
import { teamTargets } from './target/team.ts'

export const fuzzGroups: Readonly<Record<string, readonly FuzzTarget[]>> = {
  channel: channelTargets,
  relay: relayTargets,
  team: teamTargets,
  database: databaseTargets,
  file: fileTargets,
}
