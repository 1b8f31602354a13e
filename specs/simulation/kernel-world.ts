/**
 * Random trees of cells that tell, ask, stash, watch, link, spawn, stop, kill and crash each other, and a witness who writes down what the
 * kernel promised and did not keep.
 * Invariant: it uses the door of the runtime alone, and no cell knows what the witness knows.
 */
import type { LivingNodes, MakeWorld } from '../../actors/testing.ts'
import { BlazeError, reducer, spawnUnder, supervisor } from '../../runtime/index.ts'
import type { Behaviour, ChildSpec, Context, Ref, System } from '../../runtime/index.ts'

export type Work =
  | { readonly kind: 'number'; readonly sender: string; readonly n: number; readonly hops: number }
  | { readonly kind: 'ask'; readonly answer: 'now' | 'later' | 'async' | 'never'; readonly reply: () => void }
  | { readonly kind: 'answer'; readonly reply: () => void }
  | { readonly kind: 'crash' | 'stop' | 'passivate' | 'down' | 'hold' | 'release' }
  | { readonly kind: 'spawn'; readonly spec: ChildSpec<Work> }
  | { readonly kind: 'watch' | 'link'; readonly ref: Ref<Work> }

/** One boot of a node. */
export interface KernelNode {
  readonly system: System
  readonly root: Ref<never>
  /** Every worker that ever lived here; the dead ones are swept when there are many. */
  workers: Ref<Work>[]
  /** Lives that have begun and not ended. */
  readonly lives: Set<AbortSignal>
  asksOpen: number
  readonly steady: () => number
}

/** How often each thing was seen, so that a campaign can show that it did not wait for nothing. */
export interface KernelCounts {
  numbers: number
  lives: number
  restarts: number
  downs: number
  stashed: number
  readonly asks: Record<string, number>
}

const askMs = 2_000
/** Of an ask that times out on a busy node. */
const askLateMs = 50
const actionsPerStep = 20
const workersMax = 300

export function kernelWorld(
  counts: KernelCounts,
  plant?: 'deaf ask' | 'swapped mail',
): MakeWorld<KernelNode> {
  return ({ random }) => {
    const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)]
    const flip = (share: number): boolean => random() < share
    let names = 0
    const broken: string[] = []
    /** A crash would hide it. */
    const broke = (promise: string): void => {
      if (broken.length < 10) broken.push(promise)
    }

    function worker(node: KernelNode): Behaviour<Work> {
      let lifeBefore: AbortSignal | undefined
      const lastBySender = new Map<string, number>()
      let sent = 0
      let held: { readonly sender: string; readonly n: number } | undefined

      const heard = (sender: string, n: number): void => {
        counts.numbers += 1
        const last = lastBySender.get(sender) ?? -1
        if (n <= last) broke(`${n} of ${sender} came after ${last}`)
        lastBySender.set(sender, n)
      }

      return reducer<{ holding: boolean }, Work>({
        kind: 'worker',
        init(ctx) {
          if (lifeBefore?.aborted === false) broke(`${ctx.path} has two lives`)
          if (lifeBefore === undefined) node.workers.push(ctx.self)
          else counts.restarts += 1
          lifeBefore = ctx.signal
          counts.lives += 1
          node.lives.add(ctx.signal)
          ctx.signal.addEventListener('abort', () => node.lives.delete(ctx.signal))
          return { holding: false }
        },
        receive(state, message, ctx) {
          if (ctx.signal.aborted) broke(`a dead life of ${ctx.path} got ${message.kind}`)
          switch (message.kind) {
            case 'number':
              // All that comes while it holds, so that the order stays.
              if (state.holding && ctx.stash() === 'ok') {
                counts.stashed += 1
                break
              }
              if (plant === 'swapped mail' && held === undefined && message.n > 3) held = message
              else heard(message.sender, message.n)
              if (held !== undefined && held !== message) {
                heard(held.sender, held.n)
                held = undefined
              }
              if (message.hops > 0) {
                const sender = `${ctx.self.id}`
                pick(node.workers)?.tell({ kind: 'number', sender, n: sent++, hops: message.hops - 1 })
              }
              break
            case 'ask':
              answer(message, ctx)
              break
            case 'answer':
              message.reply()
              break
            case 'down':
              counts.downs += 1
              break
            case 'spawn':
              if (node.workers.length < workersMax) ctx.spawn(message.spec)
              break
            case 'watch':
              ctx.watch(message.ref, () => ({ kind: 'down' }))
              break
            case 'link':
              ctx.link(message.ref)
              break
            case 'crash':
              throw new Error('a crash that was asked for')
            case 'stop':
              ctx.stopSelf()
              break
            case 'hold':
              state.holding = true
              ctx.after(random() * 300, { kind: 'release' })
              break
            case 'release':
              state.holding = false
              ctx.unstash()
              break
            case 'passivate':
              ctx.passivate()
              break
          }
          return state
        },
      })
    }

    function answer({ answer: how, reply }: Work & { kind: 'ask' }, ctx: Context<Work>): void {
      if (how === 'now') reply()
      else if (how === 'later') ctx.after(random() * 500, { kind: 'answer', reply })
      else if (how === 'async')
        ctx.run(
          async (signal) => {
            await new Promise<void>((resolve) => void ctx.env.after(random() * 500, resolve))
            return signal.aborted
          },
          () => ({ kind: 'answer', reply }),
        )
    }

    function spec(node: KernelNode): ChildSpec<Work> {
      return {
        name: `w${names++}`,
        behaviour: worker(node),
        restart: pick(['permanent', 'transient', 'temporary'] as const) ?? 'permanent',
        ...(flip(0.2) ? { passivateAfterMs: 20 + random() * 500 } : {}),
        ...(flip(0.2) ? { mailboxMax: 4 } : {}),
      }
    }

    function tree(node: KernelNode, depth: number): ChildSpec<never> {
      if (depth === 0 || flip(0.3)) return spec(node)
      const strategy = pick(['one_for_one', 'one_for_all', 'rest_for_one'] as const) ?? 'one_for_one'
      const children = Array.from({ length: 1 + Math.floor(random() * 4) }, () => tree(node, depth - 1))
      return {
        name: `s${names++}`,
        behaviour: supervisor({ kind: 'family', strategy, children, intensity: Math.floor(random() * 20) }),
      }
    }

    function act(node: KernelNode): void {
      if (node.workers.length > workersMax / 2) node.workers = node.workers.filter(({ alive }) => alive)
      const ref = pick(node.workers)
      const other = pick(node.workers)
      const kind = random()
      if (ref === undefined || other === undefined || kind < 0.02)
        spawnUnder(node.root, flip(0.5) ? spec(node) : tree(node, 2))
      else if (kind < 0.45)
        ref.tell({ kind: 'number', sender: 'outside', n: names++, hops: Math.floor(random() * 8) })
      else if (kind < 0.65) ask(node, ref)
      else if (kind < 0.75) ref.tell({ kind: 'watch', ref: other })
      else if (kind < 0.8) ref.tell({ kind: 'link', ref: other })
      else if (kind < 0.85) ref.tell({ kind: 'spawn', spec: spec(node) })
      else if (kind < 0.91) ref.tell({ kind: 'crash' })
      else if (kind < 0.93) ref.tell({ kind: 'passivate' })
      else if (kind < 0.95) ref.tell({ kind: 'hold' })
      else if (kind < 0.97) ref.tell({ kind: 'stop' })
      else if (kind < 0.99) void ref.stop()
      else void ref.kill()
    }

    function ask(node: KernelNode, ref: Ref<Work>): void {
      const how = pick(['now', 'later', 'async', 'never'] as const) ?? 'now'
      const startMs = node.steady()
      node.asksOpen += 1
      const asking = ref.ask<void>(
        (reply) => ({
          kind: 'ask',
          answer: how,
          reply: plant === 'deaf ask' && flip(0.1) ? () => (node.asksOpen += 1) : reply,
        }),
        askMs,
      )
      const ended = (outcome: string): void => {
        node.asksOpen -= 1
        counts.asks[outcome] = (counts.asks[outcome] ?? 0) + 1
        const tookMs = node.steady() - startMs
        if (tookMs > askMs + askLateMs) broke(`an ask took ${tookMs} ms`)
      }
      void asking.then(
        () => ended('answered'),
        (error: unknown) => {
          ended(error instanceof BlazeError ? error.code : String(error))
        },
      )
    }

    return {
      nodes: ['one', 'two'],
      start({ system, env }) {
        const root = system.spawn({
          name: 'root',
          behaviour: supervisor({ kind: 'root', strategy: 'dynamic', intensity: 1_000 }),
        })
        const steady = (): number => env.monotonic()
        const node: KernelNode = { system, root, workers: [], lives: new Set(), asksOpen: 0, steady }
        for (let trees = 0; trees < 4; trees++) spawnUnder(root, tree(node, 3))
        return node
      },
      step(nodes) {
        for (const node of nodes.values())
          for (let actions = random() * actionsPerStep; actions > 0; actions--) act(node)
      },
      check(nodes) {
        if (broken.length > 0) throw new Error(broken.join('; '))
        expectSound(nodes)
      },
      quiescent: (nodes) => [...nodes.values()].every(rests),
      async finish(nodes) {
        for (const { system, lives, workers, root } of nodes.values()) {
          await system.stop()
          if (system.tree().length > 0) throw new Error(`${system.tree().length} cells outlive their system`)
          if (lives.size > 0) throw new Error(`${lives.size} lives outlive their system`)
          for (const ref of [...workers, root])
            if (ref.alive) throw new Error(`${ref.path} says that it is alive`)
        }
      },
    }
  }
}

/** No cell crashes for another reason than those of this world. */
function expectSound(nodes: LivingNodes<KernelNode>): void {
  for (const { system } of nodes.values())
    for (const { lastError } of system.tree())
      if (lastError !== undefined && !/^(Error: a crash that|RESTART_LIMIT|LINKED_CELL_DOWN)/.test(lastError))
        throw new Error(`a cell crashed: ${lastError}`)
}

function rests({ system, asksOpen }: KernelNode): boolean {
  return (
    asksOpen === 0 &&
    system
      .tree()
      .every(({ state, mailbox }) => mailbox.depth === 0 && /^(running|passive|stopped)$/.test(state))
  )
}
