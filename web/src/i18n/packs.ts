import * as en from './en'
import type { Language, Pack, Translation } from './types'

/** Every text of the dashboard by its key. English is the list of what there is; the others must have the same. */
export type Texts = typeof en.texts
export type Key = keyof Texts & string

/** What a dictionary in another language has to be; a missing or an unknown key does not compile. */
export type Translated = Translation<Texts>

export type AnyPack = Pack<Texts>

export const english: AnyPack = { language: 'en', tag: 'en', direction: 'ltr', times: en.times, texts: en.texts }

/** How each language calls itself. */
export const languageNames: Readonly<Record<Language, string>> = { en: 'English', ps: 'پښتو', prs: 'دری' }

export const languages: readonly Language[] = ['en', 'ps', 'prs']

/** Fetches a language; English is always here. */
export async function loadPack(language: Language): Promise<AnyPack> {
  switch (language) {
    case 'en':
      return english
    case 'ps': {
      const ps = await import('./ps')
      return { language, tag: 'ps', direction: 'rtl', times: ps.times, texts: asTexts(ps.texts) }
    }
    case 'prs': {
      const prs = await import('./prs')
      // Browsers and screen readers know Dari as Persian of Afghanistan.
      return { language, tag: 'fa-AF', direction: 'rtl', times: prs.times, texts: asTexts(prs.texts) }
    }
  }
}

// English texts are literals, so that the compiler knows the names in their braces. A translation has the same
// names, which a test checks, but not the same letters.
function asTexts(translated: Translated): Texts {
  return translated as unknown as Texts
}

/** The language that somebody's browser asks for, as far as we speak it. */
export function preferred(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0]
    if (language === 'ps' || language === 'en') return language
    if (language === 'prs' || language === 'fa') return 'prs'
  }
  return 'en'
}
