/** Bounds of cells, their mail, scheduling, supervision and inspection. Each row has its unit and reason. */
export const kernelLimits = {
  // Kernel: mail.
  /** Messages in a cell's user lane; enough for a burst, small enough that a stuck cell is noticed in a second. */
  mailboxMessagesMax: 1024,
  /** Share of the mailbox at which `mailbox.high` is raised, early enough for a socket to pause before `full`. */
  mailboxHighShare: 0.75,
  /** Share of the mailbox at which `mailbox.low` is raised, late enough that pausing does not flap. */
  mailboxLowShare: 0.25,
  /** Entries in a cell's system lane; its own timers, results and events only, so more is a bug and crashes it. */
  systemMailMax: 65_536,
  /** Asks of one cell that wait for a reply; each also has a deadline. */
  asksMax: 65_536,
  /** Resources one life of a cell owns; they are freed only with it, so more is a leak and crashes it. */
  ownedMax: 4096,
  /** Timers of one life that have not fired; more is a leak and crashes it. */
  timersMax: 65_536,
  /** Works of one life under way at once; more is a leak and crashes it. */
  runsMax: 65_536,
  /** Watches, and links, of one life; more is a leak and crashes it. Half of the system lane, so that all may end at once. */
  watchesMax: 32_768,
  /** Messages a cell may put aside; as many as wait for it. */
  stashMax: 1024,
  /** Messages kept whole because a cell crashed on them; each may be large. */
  quarantineMax: 64,
  /** Dead letters kept for inspection; older ones survive only in the count. */
  deadLettersMax: 256,

  // Kernel: scheduling.
  /** Messages one cell handles before the next ready cell has its turn, and the clock is looked at. */
  turnMessagesMax: 16,
  /** Microsteps of a machine for one event; more is an endless loop of `always` or `raise`, which crashes the cell after a few ms. */
  machineStepsMax: 1_000,
  /** Messages of one slice; bounds a slice where the clock stands still, as in simulation. */
  sliceMessagesMax: 4096,
  /** Milliseconds of one slice before timers and sockets get the thread: a quarter of a 60 Hz frame. */
  sliceMs: 4,
  /** Messages between two looks at the clock, which cost as much as a message; slow handlers overrun a slice by so many. */
  clockCheckMessages: 16,

  // Kernel: supervision.
  /** Restarts of one child per period before its supervisor gives up. */
  restartIntensity: 10,
  /** Milliseconds of that period; also the quiet time after which the backoff starts over. */
  restartPeriodMs: 60_000,
  /** Milliseconds before the first restart. */
  restartBackoffFirstMs: 100,
  /** Longest wait before a restart, in milliseconds. */
  restartBackoffMaxMs: 5_000,
  /** Milliseconds a cell may take to stop before it is killed. */
  stopBudgetMs: 5_000,
  /** Restarts per period that a supervisor may allow; each that is granted is remembered for the period. */
  restartIntensityMax: 1_000_000,
  /** Living children of one cell; a flood of them is a bug of their parent. */
  childrenMax: 1_048_576,
  /** Children that restart together, those included that ended and keep their place; each start and end looks at all of them. */
  siblingsMax: 4_096,
  /** Names in one system's registry. */
  registryNamesMax: 65_536,
  /** Groups of one system that have members. */
  groupsMax: 65_536,
  /** Members of one group; a broadcast tells them all within one turn. */
  groupMembersMax: 65_536,
  /** Levels of the supervision tree; starting a child nests on the stack. */
  treeDepthMax: 64,
  /** Characters of a cell's name; names go into paths, logs and the visualizer. */
  cellNameCharsMax: 128,

  // Kernel: inspection and simulation.
  /** Characters of one text in a tap event; longer text is cut. */
  tapTextCharsMax: 256,
  /** Listeners of one tap; each costs a call per event. */
  tapListenersMax: 32,
  /** Machine definitions a tap remembers; they are constants of the program. */
  tapDefinitionsMax: 256,
  /** Fields of one tap event; the rest is left out. */
  tapFieldsMax: 32,
  /** Events that listeners cause while one event is delivered; a listener that answers each with another would never end. */
  tapCausedMax: 1024,
  /** Steps of one simulated run when the caller names none; a world that needs more does not terminate. */
  simulationStepsMax: 5_000_000,
  /** Milliseconds of the longest native timer; Node fires longer ones at once, so they are armed in pieces. */
  nativeTimerMsMax: 2_147_483_647,
} as const
