/**
 * Progress on stderr: a bar that moves on a terminal, nothing elsewhere.
 *
 * Invariant: nothing is written to stdout, and the terminal's line is empty when a step has ended.
 */

const barChars = 28
/** Milliseconds between two drawings. */
const drawMs = 80

export interface ProgressStep {
  /** How far it is, of the total. */
  at(count: number): void
  /** Wipes the bar. */
  end(): void
}

/** `what` may change as it goes on. */
export function beginStep(what: string | (() => string), total: number): ProgressStep {
  const output = process.stderr
  const live = output.isTTY
  let drawnMs = 0
  const draw = (count: number): void => {
    const share = total === 0 ? 1 : Math.min(1, count / total)
    const full = Math.round(share * barChars)
    const bar = '█'.repeat(full) + '░'.repeat(barChars - full)
    output.write(
      `\r\u001b[2K  ${bar} ${String(Math.floor(share * 100)).padStart(3)} %  ${typeof what === 'string' ? what : what()}`,
    )
  }
  if (live) draw(0)
  return {
    at: (count) => {
      const nowMs = performance.now()
      if (!live || nowMs - drawnMs < drawMs) return
      drawnMs = nowMs
      draw(count)
    },
    end: () => {
      if (live) output.write('\r\u001b[2K')
    },
  }
}
