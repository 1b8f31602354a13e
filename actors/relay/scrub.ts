/**
 * Compares the live set of this side with the peer's although their vectors agree (REPLICATION rule 24, PROTOCOL §14): the dialling side
 * asks, the other answers, and what differs is sent by both.
 *
 * Invariant: one question is under way; nothing is deleted by a comparison, and nothing but contexts decides what lives.
 */
import { limits, type Env } from '../../runtime/index.ts'
import { differingTags, forgetScrubTree, ScrubDescent, scrubLeafTags, scrubTree } from '../replica/index.ts'
import type { Replica, ScrubNode, ScrubPrefix } from '../replica/index.ts'
import { RELAY_SCRUB, RELAY_SCRUBBED, violation } from './message.ts'
import {
  encodeScrubAnswer,
  encodeScrubAsk,
  parseScrubAnswer,
  parseScrubAsk,
  type LeafList,
  type ScrubAnswer,
  type ScrubAsk,
} from './scrub-frame.ts'

export interface ScrubPort {
  send(type: number, body: Uint8Array): boolean
  run<T>(work: () => Promise<T>, done: (value: T) => void, failed: (error: unknown) => void): void
  /** Everything of both sides is applied and acknowledged. */
  quiet(): boolean
  repair(tags: readonly Uint8Array[]): void
  /** The comparison got somewhere. */
  moved(): void
  failed(error: unknown): void
}

/** Of the asking side. Plain data. */
export interface ScrubReport {
  /** Comparisons that ended, and tags that were found to differ, since the stream was opened. */
  readonly compared: number
  readonly found: number
  /** A difference was found and is not known to be gone. */
  readonly differs: boolean
  /** It stayed after several comparisons. */
  readonly stays: boolean
}

const ROOT: ScrubPrefix = { depth: 0, nibbles: 0 }

export class Scrub {
  readonly #replica: Replica
  readonly #env: Env
  readonly #port: ScrubPort
  /** What was asked and not answered. */
  #asked: ScrubAsk['kind'] | undefined
  #descent: ScrubDescent | undefined
  /** Leaves that differ and whose tags were not compared. */
  readonly #leaves: ScrubPrefix[] = []
  /** Tags that this comparison found to differ. */
  #found = 0
  #report: ScrubReport = { compared: 0, found: 0, differs: false, stays: false }
  /** Comparisons in a row that found a difference. */
  #rounds = 0
  /** What differed was sent: whether it still does is asked at the next quiet moment. */
  #again = false
  #working = false
  #verifiedMs = -Infinity
  #ended = false

  constructor(o: { replica: Replica; env: Env; port: ScrubPort }) {
    this.#replica = o.replica
    this.#env = o.env
    this.#port = o.port
  }

  get report(): ScrubReport {
    return this.#report
  }

  end(): void {
    this.#ended = true
  }

  /** Begins a comparison. False: there is no quiet moment, or one is under way. */
  start(): boolean {
    // A difference that stayed gets another try, and a look at whether that helped.
    this.#rounds = Math.min(this.#rounds, limits.scrubRoundsMax - 2)
    return this.#start()
  }

  #start(): boolean {
    if (this.#ended || this.#asked !== undefined || this.#descent !== undefined || !this.#port.quiet())
      return false
    this.#found = 0
    this.#ask({ kind: 'root', node: this.#root() })
    return true
  }

  /** Something moved. */
  poll(): void {
    if (this.#again && this.#start()) this.#again = false
  }

  /** The peer asks. Throws `PROTOCOL_VIOLATION`. */
  asked(body: Uint8Array): void {
    const ask = parseScrubAsk(body)
    if (this.#working) throw violation('a question of a scrub while another is answered')
    switch (ask.kind) {
      case 'root':
        if (!this.#port.quiet()) return this.#answer({ kind: 'later' })
        if (this.#sameRoot(ask.node)) return this.#answer({ kind: 'same' })
        forgetScrubTree(this.#replica)
        return this.#work(async () => {
          const tree = await scrubTree(this.#replica, this.#env)
          return { kind: 'nodes', nodes: [tree.node(ROOT), ...tree.children(ROOT)] }
        })
      case 'nodes':
        return this.#work(async () => {
          const tree = await scrubTree(this.#replica, this.#env)
          return { kind: 'nodes', nodes: ask.prefixes.map((prefix) => tree.node(prefix)) }
        })
      case 'leaves':
        return this.#work(async () => {
          const tags: Uint8Array[] = []
          for (const list of ask.lists) {
            const own = await scrubLeafTags(this.#replica, list.leaf)
            tags.push(...differingTags(own, list.tags))
            if (tags.length >= limits.scrubTagsMax) break
          }
          return { kind: 'tags', tags: tags.slice(0, limits.scrubTagsMax) }
        })
      case 'verify':
        this.#verify()
        return this.#answer({ kind: 'verify' })
    }
  }

  /** The peer answers. Throws `PROTOCOL_VIOLATION`. */
  answered(body: Uint8Array): void {
    const answer = parseScrubAnswer(body)
    const asked = this.#asked
    this.#asked = undefined
    if (asked === 'root' && answer.kind === 'same') return this.#same()
    if (asked === 'root' && answer.kind === 'later') return
    if (asked === 'root' && answer.kind === 'nodes') return this.#begin(answer.nodes)
    if (asked === 'nodes' && answer.kind === 'nodes') return this.#take(answer.nodes)
    if (asked === 'leaves' && answer.kind === 'tags') return this.#differ(answer.tags)
    if (asked === 'verify' && answer.kind === 'verify') return this.#done()
    throw violation(`an answer of kind ${answer.kind} to a question of kind ${asked ?? 'none'}`)
  }

  #same(): void {
    this.#rounds = 0
    this.#tell({ compared: this.#report.compared + 1, differs: false, stays: false })
  }

  /** Roots differ: the pass over the own store comes first. */
  #begin([root, ...children]: readonly ScrubNode[]): void {
    this.#rounds += 1
    this.#tell({ differs: true })
    forgetScrubTree(this.#replica)
    this.#run(
      () => scrubTree(this.#replica, this.#env),
      (tree) => {
        const descent = new ScrubDescent(tree, limits.scrubNodesMax)
        this.#descent = descent
        if (root === undefined || !descent.answer([root])) throw violation('no root in the answer of a scrub')
        if (descent.asks.length === 0) this.#done()
        else this.#take(children)
      },
    )
  }

  #take(nodes: readonly ScrubNode[]): void {
    const descent = this.#descent
    if (descent === undefined || !descent.answer(nodes)) throw violation('other nodes than were asked for')
    const leaves = descent.take()
    if (leaves.length > 0) this.#leaves.push(...leaves)
    this.#next()
  }

  /** As far as there is room: what is left out is found by the next comparison. */
  #next(): void {
    const asks = this.#descent?.asks ?? []
    const enough = this.#leaves.length >= limits.scrubLeavesMax
    if (asks.length > 0 && !enough) return this.#ask({ kind: 'nodes', prefixes: asks })
    if (this.#leaves.length === 0 || this.#found >= limits.scrubTagsMax) return this.#done()
    this.#run(
      () => this.#lists(this.#leaves.slice(0, limits.scrubLeavesMax)),
      (lists) => {
        this.#leaves.splice(0, lists.length)
        this.#ask({ kind: 'leaves', lists })
      },
    )
  }

  /** What is held here of the first leaves, as far as there is room. */
  async #lists(leaves: readonly ScrubPrefix[]): Promise<LeafList[]> {
    const lists: LeafList[] = []
    let count = 0
    for (const leaf of leaves) {
      const tags = await scrubLeafTags(this.#replica, leaf)
      lists.push({ leaf, tags })
      count += tags.length
      if (count >= limits.scrubAskTagsMax) break
    }
    return lists
  }

  /** The peer sends its part of them too. */
  #differ(tags: readonly Uint8Array[]): void {
    this.#found += tags.length
    this.#tell({ found: this.#report.found + tags.length })
    if (tags.length > 0) this.#port.repair(tags)
    this.#next()
  }

  #done(): void {
    this.#descent = undefined
    this.#leaves.length = 0
    const stays = this.#rounds >= limits.scrubRoundsMax
    if (stays && !this.#report.stays) {
      this.#tell({ stays })
      this.#verify()
      this.#ask({ kind: 'verify' })
      return
    }
    this.#again = !stays
    this.#tell({ compared: this.#report.compared + 1 })
    this.poll()
  }

  #verify(): void {
    const nowMs = this.#env.monotonic()
    if (nowMs - this.#verifiedMs < limits.scrubVerifyMs) return
    this.#verifiedMs = nowMs
    this.#port.run(
      () => this.#replica.verify(),
      () => this.#port.moved(),
      (error) => this.#port.failed(error),
    )
  }

  #root(): ScrubNode {
    return { ...ROOT, count: this.#replica.liveEnvelopes, sum: this.#replica.liveTotals.sum }
  }

  #sameRoot({ count, sum }: ScrubNode): boolean {
    return count === this.#replica.liveEnvelopes && Buffer.compare(sum, this.#replica.liveTotals.sum) === 0
  }

  #tell(report: Partial<ScrubReport>): void {
    this.#report = { ...this.#report, ...report }
    this.#port.moved()
  }

  #ask(ask: ScrubAsk): void {
    this.#asked = ask.kind
    this.#port.send(RELAY_SCRUB, encodeScrubAsk(ask))
  }

  #answer(answer: ScrubAnswer): void {
    this.#port.send(RELAY_SCRUBBED, encodeScrubAnswer(answer))
  }

  #work(work: () => Promise<ScrubAnswer>): void {
    this.#working = true
    this.#run(work, (answer) => {
      this.#working = false
      if (answer.kind === 'tags') this.#port.repair(answer.tags)
      this.#answer(answer)
    })
  }

  #run<T>(work: () => Promise<T>, done: (value: T) => void): void {
    this.#port.run(
      work,
      (value) => {
        if (!this.#ended) done(value)
      },
      (error) => {
        if (!this.#ended) this.#port.failed(error)
      },
    )
  }
}
