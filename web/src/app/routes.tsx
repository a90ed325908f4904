import { type ComponentType, type LazyExoticComponent, lazy } from 'react'
import type { IconName } from '../components'
import type { Label } from './label'

/** A page and the address it answers at. Each page is a chunk of its own, fetched when it is first opened. */
export interface Route {
  /** As wouter writes it: /users/:id. */
  readonly path: string
  readonly Page: LazyExoticComponent<ComponentType>
  /** In the navigation: its name, its picture, and the letter that comes after g. */
  readonly nav?: { readonly text: Label; readonly icon: IconName; readonly key: string; readonly group?: 'more' }
  /** Only admins may see it; moderators are told so. */
  readonly admins?: boolean
  /** Without the shell around it. */
  readonly bare?: boolean
}

export const routes: readonly Route[] = [
  {
    path: '/',
    Page: lazy(() => import('../pages/overview')),
    nav: { text: 'nav.overview', icon: 'overview', key: 'o' },
  },
  { path: '/users', Page: lazy(() => import('../pages/users')), nav: { text: 'nav.users', icon: 'users', key: 'u' } },
  { path: '/users/:id', Page: lazy(() => import('../pages/user')) },
  {
    path: '/events',
    Page: lazy(() => import('../pages/events')),
    nav: { text: 'nav.events', icon: 'events', key: 'e' },
  },
  {
    path: '/audit',
    Page: lazy(() => import('../pages/audit')),
    nav: { text: 'nav.audit', icon: 'audit', key: 'a' },
    admins: true,
  },
  {
    path: '/settings',
    Page: lazy(() => import('../pages/settings')),
    nav: { text: 'nav.settings', icon: 'settings', key: 's', group: 'more' },
    admins: true,
  },
  {
    path: '/tokens',
    Page: lazy(() => import('../pages/tokens')),
    nav: { text: 'nav.tokens', icon: 'tokens', key: 't', group: 'more' },
    admins: true,
  },
  {
    path: '/identity',
    Page: lazy(() => import('../pages/identity')),
    nav: { text: 'nav.identity', icon: 'identity', key: 'i', group: 'more' },
    admins: true,
  },
  {
    path: '/trash',
    Page: lazy(() => import('../pages/trash')),
    nav: { text: 'nav.trash', icon: 'trash', key: 'd', group: 'more' },
    admins: true,
  },
  { path: '/tv', Page: lazy(() => import('../pages/tv')), bare: true },
  {
    path: '/webhooks',
    Page: lazy(() => import('../pages/webhooks')),
    nav: { text: 'nav.webhooks', icon: 'webhooks', key: 'w', group: 'more' },
    admins: true,
  },
  {
    path: '/system',
    Page: lazy(() => import('../pages/system')),
    nav: { text: 'nav.system', icon: 'system', key: 'y', group: 'more' },
    admins: true,
  },
]
