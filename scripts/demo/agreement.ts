/** What the processes of the demo know of each other. */

/** As guests name it. */
export const databaseName = 'Cities'
export const appGroupId = 'demo'
export const collectionName = 'cities'
/** What the app does not show the dashboard. */
export const withheldField = 'admin2'
/** Of a demo. A real one is asked for, and different on each device. */
export const password = 'demo'
/** Milliseconds after which waiting for sync is given up. */
export const syncMs = 120_000
