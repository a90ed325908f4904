import { useQuery } from '@tanstack/react-query'
import { useApi } from '../../data'
import type { UserDetail } from '../../wire'

/** The name of whoever has an id; undefined until it is known. */
export function useUsername(id: string): string | undefined {
  const api = useApi()
  return useQuery({
    queryKey: ['name', id],
    queryFn: async ({ signal }) =>
      (await api.get<UserDetail>(`/users/${encodeURIComponent(id)}`, {}, signal)).account.username,
    enabled: id !== '',
    staleTime: Number.POSITIVE_INFINITY,
    retry: false,
  }).data
}
