import { createContext, Fragment, type ReactNode, useContext, useLayoutEffect, useSyncExternalStore } from 'react'
import type { Key, Texts } from './packs'
import type { Reader, Reading } from './reading'
import { formOf, pieces, type RichValues } from './translate'

const ReaderContext = createContext<Reader | null>(null)

/** Gives the page a language; the html element's lang and dir follow it, without a reload. */
export function ReadingProvider({ reader, children }: { readonly reader: Reader; readonly children: ReactNode }) {
  const { pack } = useSyncExternalStore(reader.subscribe, reader.get)
  useLayoutEffect(() => {
    document.documentElement.lang = pack.tag
    document.documentElement.dir = pack.direction
  }, [pack])
  return <ReaderContext value={reader}>{children}</ReaderContext>
}

export function useReader(): Reader {
  const reader = useContext(ReaderContext)
  if (!reader) throw new Error('useReader outside of <ReadingProvider>')
  return reader
}

/** The reader's language, formats and preferences; renders again when they change. */
export function useReading(): Reading {
  const reader = useReader()
  return useSyncExternalStore(reader.subscribe, reader.get)
}

/**
 * A sentence of the dictionary with elements in it. Numbers and texts stand in `<bdi>`, so that a name in one
 * script does not turn a sentence in another around.
 *
 *     <Say k="user.why.active" v={{ device: <b>Firefox</b>, ago: f.ago(at, now) }} />
 */
export function Say<K extends Key>({ k, v }: { readonly k: K; readonly v: RichValues<Texts[K], ReactNode> }) {
  const { pack, format } = useReading()
  const told = v as Readonly<Record<string, ReactNode>> // its names were checked where Say was written
  return pieces(formOf(pack.texts[k], told.n)).map((piece, i) => {
    if (typeof piece === 'string') return piece
    const value = told[piece.name]
    const shown = typeof value === 'number' ? format.decimal(value) : value
    // biome-ignore lint/suspicious/noArrayIndexKey: the pieces of a pattern never change places
    return typeof shown === 'string' ? <bdi key={i}>{shown}</bdi> : <Fragment key={i}>{shown}</Fragment>
  })
}
