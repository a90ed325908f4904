import { common } from './common'

export { times } from './times'

/** All English texts; their keys are the keys there are. */
export const texts = { ...common } as const
