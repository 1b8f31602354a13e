/** What both devices of the demo know of each other. */

export const collectionName = 'cities'
/** Of a demo. A real one is asked for, and different on each device. */
export const password = 'demo'
/** Milliseconds after which waiting for sync is given up. */
export const syncMs = 120_000
