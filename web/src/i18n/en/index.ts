import { chart } from './chart'
import { common } from './common'
import { events } from './events'
import { overview } from './overview'
import { settings } from './settings'
import { shell } from './shell'
import { system } from './system'
import { tv } from './tv'
import { user } from './user'
import { users } from './users'
import { webhooks } from './webhooks'

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
  ...tv,
  ...user,
  ...users,
  ...webhooks,
} as const
