/**
 * Folds a text so that what people type finds what was written: without case, accents and vowel marks, with the
 * letters that Arabic, Persian and Pashto keyboards write differently as one, and any digits as Latin ones.
 *
 *     fold('علي') === fold('علی')    fold('كريم') === fold('کریم')    fold('مي‌روم') === fold('میروم')
 */
export function fold(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text.toLowerCase() // most names, at no cost
  return text
    .normalize('NFKD')
    .replace(
      /[\u0300-\u036f\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0640\u200b-\u200f\u202a-\u202e\u2060-\u2069\u061c\ufeff]/g,
      '',
    )
    .replace(/[^\x20-\x7e]/g, (c) => letters[c] ?? c)
    .toLowerCase()
}

/** Letters by the one they are folded into. NFKD has taken hamza, madda and presentation forms apart already. */
const letters: Readonly<Record<string, string>> = spread({
  ی: 'يىېۍےۓێ', // Arabic yeh and alef maksura, the other yehs of Pashto and Urdu
  ک: 'كڪ',
  گ: 'ګڰ',
  ه: 'ةەھہۃ',
  ا: 'ٱ',
  و: 'ۇۆۈۉۋ',
  ن: 'ڼں',
  د: 'ډڈ',
  ر: 'ړڑ',
  ت: 'ټٹ',
  ژ: 'ږ',
  ش: 'ښ',
  ' ': '\u00a0\u2007\u202f',
  '0': '۰٠',
  '1': '۱١',
  '2': '۲٢',
  '3': '۳٣',
  '4': '۴٤',
  '5': '۵٥',
  '6': '۶٦',
  '7': '۷٧',
  '8': '۸٨',
  '9': '۹٩',
})

function spread(table: Readonly<Record<string, string>>): Record<string, string> {
  const flat: Record<string, string> = {}
  for (const [to, from] of Object.entries(table)) for (const one of from) flat[one] = to
  return flat
}
