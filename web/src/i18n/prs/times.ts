import type { TimeWords } from '../types'

/** After a number a Dari noun stays in the singular, so that both forms are the same. */
const same = (text: string) => ({ one: text, other: text })

export const times: TimeWords = {
  months: ['جنوری', 'فبروری', 'مارچ', 'اپریل', 'می', 'جون', 'جولای', 'آگست', 'سپتمبر', 'اکتوبر', 'نومبر', 'دسمبر'],
  monthsShort: ['جنوری', 'فبروری', 'مارچ', 'اپریل', 'می', 'جون', 'جولای', 'آگست', 'سپتمبر', 'اکتوبر', 'نومبر', 'دسمبر'],
  solarMonths: ['حمل', 'ثور', 'جوزا', 'سرطان', 'اسد', 'سنبله', 'میزان', 'عقرب', 'قوس', 'جدی', 'دلو', 'حوت'],
  solarMonthsShort: ['حمل', 'ثور', 'جوزا', 'سرطان', 'اسد', 'سنبله', 'میزان', 'عقرب', 'قوس', 'جدی', 'دلو', 'حوت'],
  weekdays: ['یکشنبه', 'دوشنبه', 'سه‌شنبه', 'چهارشنبه', 'پنجشنبه', 'جمعه', 'شنبه'],
  weekdaysShort: ['یکشنبه', 'دوشنبه', 'سه‌شنبه', 'چهارشنبه', 'پنجشنبه', 'جمعه', 'شنبه'],
  dayMonth: '{d} {m}',
  dayMonthYear: '{d} {m} {y}',
  weekdayDate: '{w}، {d} {m} {y}',
  monthYear: '{m} {y}',
  dateTime: '{date}، {time}',
  range: '{a} – {b}',
  now: 'اکنون',
  never: 'هرگز',
  ago: {
    second: same('{n} ثانیه پیش'),
    minute: same('{n} دقیقه پیش'),
    hour: same('{n} ساعت پیش'),
    day: same('{n} روز پیش'),
    month: same('{n} ماه پیش'),
    year: same('{n} سال پیش'),
  },
  ahead: {
    second: same('{n} ثانیه بعد'),
    minute: same('{n} دقیقه بعد'),
    hour: same('{n} ساعت بعد'),
    day: same('{n} روز بعد'),
    month: same('{n} ماه بعد'),
    year: same('{n} سال بعد'),
  },
  long: {
    second: same('{n} ثانیه'),
    minute: same('{n} دقیقه'),
    hour: same('{n} ساعت'),
    day: same('{n} روز'),
    month: same('{n} ماه'),
    year: same('{n} سال'),
  },
  short: {
    second: '\u00a0ث',
    minute: '\u00a0د',
    hour: '\u00a0س',
    day: '\u00a0روز',
    month: '\u00a0ماه',
    year: '\u00a0سال',
  },
  join: '{a} و {b}',
  comma: '، ',
  and: ' و ',
  weekStart: 6,
  digits: 'extended',
  calendar: 'solar',
}
