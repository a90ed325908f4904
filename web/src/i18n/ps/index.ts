import type { Translated } from '../packs'
import { chart } from './chart'
import { common } from './common'
import { desk } from './desk'
import { events } from './events'
import { overview } from './overview'
import { problem } from './problem'
import { settings } from './settings'
import { shell } from './shell'
import { system } from './system'
import { tv } from './tv'
import { user } from './user'
import { users } from './users'
import { webhooks } from './webhooks'

export { times } from './times'

export const texts: Translated = {
  ...chart,
  ...common,
  ...desk,
  ...events,
  ...overview,
  ...problem,
  ...settings,
  ...shell,
  ...system,
  ...tv,
  ...user,
  ...users,
  ...webhooks,
}
