import { chart } from './chart'
import { common } from './common'
import { overview } from './overview'
import { shell } from './shell'
import { user } from './user'

export { times } from './times'

/** All English texts; their keys are the keys there are. */
export const texts = { ...chart, ...common, ...overview, ...shell, ...user } as const
