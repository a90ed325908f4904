import { choose, type Format, isolateIn } from './format'
import type { Message, Pack, Plural } from './types'

/** The names in braces of a text. */
type Names<S extends string> = S extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never

/** What has to be told to say a message. A plural always needs n. */
export type NamesOf<M> = M extends string
  ? Names<M>
  : M extends Plural
    ? Names<M['one']> | Names<M['other']> | 'n'
    : never

export type Value = string | number

type Arguments<M, V> = [NamesOf<M>] extends [never] ? [] : [values: { readonly [N in NamesOf<M>]: V }]

/** Says a message of the dictionary as a text. Numbers are written as the reader writes them, strings are isolated. */
export type Translate<D> = <K extends keyof D & string>(key: K, ...values: Arguments<D[K], Value>) => string

export type RichValues<M, V> = { readonly [N in NamesOf<M>]: V }

/** A pattern in pieces: texts, and the names of values between them. */
export type Piece = string | { readonly name: string }

/** Cuts a pattern at its values. */
export function pieces(pattern: string): Piece[] {
  const found: Piece[] = []
  let at = 0
  for (const m of pattern.matchAll(/\{(\w+)\}/g)) {
    if (m.index > at) found.push(pattern.slice(at, m.index))
    found.push({ name: m[1] ?? '' })
    at = m.index + m[0].length
  }
  if (at < pattern.length) found.push(pattern.slice(at))
  return found
}

/** The form of a message for its values. */
export function formOf(message: Message, n: unknown): string {
  return typeof message === 'string' ? message : choose(message, typeof n === 'number' ? n : 2)
}

export function translator<D extends { readonly [K in keyof D]: Message }>(
  pack: Pack<D>,
  format: Format,
): Translate<D> {
  return (key, ...[values]) => {
    const told = (values ?? {}) as Readonly<Record<string, Value>> // its names were checked where t was called
    return pieces(formOf(pack.texts[key], told.n))
      .map((piece) => {
        if (typeof piece === 'string') return piece
        const value = told[piece.name]
        return typeof value === 'number'
          ? format.decimal(value)
          : value === undefined
            ? ''
            : isolateIn(pack.direction, value)
      })
      .join('')
  }
}
