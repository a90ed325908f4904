import { common } from './common'
import { shell } from './shell'

export { times } from './times'

/** All English texts; their keys are the keys there are. */
export const texts = { ...common, ...shell } as const
