import { type ComponentType, type LazyExoticComponent, lazy } from 'react'

/** A page and the address it answers at. Each page is a chunk of its own, fetched when it is first opened. */
export interface Route {
  readonly path: string
  readonly Page: LazyExoticComponent<ComponentType>
}

export const routes: readonly Route[] = [
  { path: '/', Page: lazy(() => import('../pages/overview')) },
  { path: '/users', Page: lazy(() => import('../pages/users')) },
]
