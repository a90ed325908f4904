import type { Translated } from '../packs'
import { common } from './common'

export { times } from './times'

export const texts: Translated = { ...common }
