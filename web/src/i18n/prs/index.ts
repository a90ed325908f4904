import type { Translated } from '../packs'
import { common } from './common'
import { shell } from './shell'

export { times } from './times'

export const texts: Translated = { ...common, ...shell }
