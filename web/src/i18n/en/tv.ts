/** Numbers for a screen on the wall. */
export const tv = {
  'tv.title': 'Presence on a screen',
  'tv.hours': 'People present, last {n} h',
} as const
