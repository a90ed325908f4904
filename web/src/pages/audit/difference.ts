/** One field that an act changed. */
export interface Difference {
  readonly field: string
  readonly before?: unknown
  readonly after?: unknown
}

/** What differs between two records, field by field; records inside of records by their path. */
export function differences(before: unknown, after: unknown): Difference[] {
  const was = flat(before)
  const is = flat(after)
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((field) => write(was.get(field)) !== write(is.get(field)) || was.has(field) !== is.has(field))
    .map((field) => ({ field, before: was.get(field), after: is.get(field) }))
}

function flat(value: unknown, path = '', into = new Map<string, unknown>()): Map<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
    for (const [name, one] of Object.entries(value)) flat(one, path ? `${path}.${name}` : name, into)
  } else if (value !== undefined && value !== null) into.set(path || '·', value)
  return into
}

export function write(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}
