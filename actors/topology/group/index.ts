/** Door of the app group: its directory, its keys, its apps. */
export { AppGroup, checkGroupName, homeOf, openAppGroup } from './app-group.ts'
export type { AppGroupWorld, AppIdentity, SharedDatabase } from './app-group.ts'
