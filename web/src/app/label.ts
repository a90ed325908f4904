import type { Key, Texts } from '../i18n'
import type { NamesOf } from '../i18n/translate'

/** The key of a text that needs no values: what a table of names can hold. */
export type Label = { [K in Key]: [NamesOf<Texts[K]>] extends [never] ? K : never }[Key]
