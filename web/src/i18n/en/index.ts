import { chart } from './chart'
import { common } from './common'
import { events } from './events'
import { overview } from './overview'
import { settings } from './settings'
import { shell } from './shell'
import { system } from './system'
import { user } from './user'
import { users } from './users'

export { times } from './times'

/** All English texts; their keys are the keys there are. */
export const texts = {
  ...chart,
  ...common,
  ...events,
  ...overview,
  ...settings,
  ...shell,
  ...system,
  ...user,
  ...users,
} as const
