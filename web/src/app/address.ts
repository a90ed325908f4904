import { useCallback, useMemo } from 'react'
import { useLocation, useSearch } from 'wouter'

/**
 * What the user is looking at is in the address, so that the address can be kept, sent and opened again. A value that is
 * what it would be anyway is left out.
 */
export interface Address {
  get(name: string): string | null
  list(name: string): readonly string[]
  /** Changes some values at once; null and [] take one out. keep: a step one can go back over; else the step before is replaced. */
  set(values: Readonly<Record<string, string | readonly string[] | null>>, keep?: boolean): void
  readonly search: string
}

export function useAddress(): Address {
  const search = useSearch()
  const [path, navigate] = useLocation()
  const set = useCallback<Address['set']>(
    (values, keep = false) => {
      const next = new URLSearchParams(location.search)
      for (const [name, value] of Object.entries(values)) {
        const text = Array.isArray(value) ? value.join(',') : value
        if (text === null || text === '') next.delete(name)
        else next.set(name, String(text))
      }
      const query = String(next).replaceAll('%2C', ',').replaceAll('%3A', ':')
      navigate(query ? `${path}?${query}` : path, { replace: !keep })
    },
    [path, navigate],
  )
  return useMemo(() => {
    const params = new URLSearchParams(search)
    return {
      search,
      get: (name) => params.get(name),
      list: (name) => params.get(name)?.split(',').filter(Boolean) ?? [],
      set,
    }
  }, [search, set])
}
