import { useState } from 'react'
import type { Address } from '../../app/address'
import type { Label } from '../../app/label'
import { useShortcut } from '../../app/shortcuts'
import { Button, Icon, type MenuEntry, MenuPanel } from '../../components'
import { roles } from '../../data'
import type { Filter } from '../../data/view'
import { useReading } from '../../i18n'
import { names, nothing, type RangeName, ranges, used } from './query'
import { causeNames, causeText } from './row'
import styles from './users.module.css'

type Facet = 'presence' | 'account' | 'role' | 'why' | 'seen' | 'unseen' | 'since' | 'devices' | 'other'

const facets: Readonly<Record<Facet, Label>> = {
  presence: 'users.facet.presence',
  account: 'users.facet.account',
  role: 'users.facet.role',
  why: 'users.facet.why',
  seen: 'users.facet.seen',
  unseen: 'users.facet.unseen',
  since: 'users.facet.since',
  devices: 'users.facet.devices',
  other: 'users.facet.other',
}
const accounts = ['active', 'pending', 'suspended', 'banned', 'closed'] as const

/** The filters that hold, as chips, and the button that adds one. */
export function Filters({
  address,
  filter,
  onMenu,
}: {
  readonly address: Address
  readonly filter: Filter
  readonly onMenu: (open: boolean) => void
}) {
  const { t, format } = useReading()
  const [open, setOpen] = useState<{ from: Element; facet: Facet | null } | null>(null)
  const on = used(filter).filter((k) => k !== 'search')
  const show = (from: Element, facet: Facet | null) => {
    setOpen({ from, facet })
    onMenu(true)
  }
  const close = () => {
    setOpen(null)
    onMenu(false)
  }
  useShortcut({
    keys: 'f',
    text: 'users.key.filter',
    run: () => {
      const button = document.querySelector('[data-filter]')
      if (button) show(button, null)
    },
  })
  const reset = () => address.set(nothing, true)
  useShortcut(on.length || filter.search ? { keys: 'r', text: 'users.key.reset', run: reset } : null)

  const toggle = (name: string, value: string) => {
    const list = address.list(name)
    address.set({ [name]: list.includes(value) ? list.filter((v) => v !== value) : [...list, value] }, true)
  }
  const many = (name: string, values: readonly (readonly [string, Label])[]): MenuEntry[] =>
    values.map(([value, text]) => ({
      label: t(text),
      checked: address.list(name).includes(value),
      many: true,
      run: () => toggle(name, value),
    }))
  const range = (name: 'seen' | 'unseen' | 'since', choices: readonly RangeName[]): MenuEntry[] =>
    choices.map((c) => ({
      label: format.durationLong(ranges[c]),
      checked: address.get(name) === c,
      run: () => address.set({ [name]: address.get(name) === c ? null : c }, true),
    }))
  const flag = (name: string, text: Label): MenuEntry => ({
    label: t(text),
    checked: address.get(name) === '1',
    many: true,
    run: () => address.set({ [name]: address.get(name) === '1' ? null : '1' }, true),
  })
  const entries = (facet: Facet | null): readonly MenuEntry[] => {
    switch (facet) {
      case 'presence':
        return many('presence', [
          ['online', 'status.online'],
          ['away', 'status.away'],
          ['offline', 'status.offline'],
        ])
      case 'account':
        return many(
          'account',
          accounts.map((a) => [a, `account.${a}`]),
        )
      case 'role':
        return many(
          'role',
          roles.map((r) => [r, `role.${r}`]),
        )
      case 'why':
        return many(
          'why',
          causeNames.map((c) => [c, causeText(c)]),
        )
      case 'seen':
        return [...range('seen', ['1h', '24h', '7d', '30d']), null, flag('never', 'status.never')]
      case 'unseen':
        return range('unseen', ['24h', '7d', '30d', '90d'])
      case 'since':
        return range('since', ['15m', '1h', '24h', '7d'])
      case 'devices':
        return [2, 3, 5].map((n) => ({
          label: t('users.atLeast', { n }),
          checked: filter.devices === n,
          run: () => address.set({ devices: filter.devices === n ? null : String(n) }, true),
        }))
      case 'other':
        return [flag('held', 'status.held'), flag('private', 'users.hides')]
      default:
        return (Object.keys(facets) as Facet[]).map((f) => ({
          label: t(facets[f]),
          many: true,
          run: () => setOpen((o) => o && { ...o, facet: f }),
        }))
    }
  }

  const says = (k: keyof Filter): string => {
    const v = filter[k]
    switch (k) {
      case 'status':
        return format.list(filter.status.map((s) => t(`status.${s as 'online'}`)))
      case 'account':
        return format.list(filter.account.map((a) => t(`account.${a as 'active'}`)))
      case 'role':
        return format.list(filter.role.map((r) => t(`role.${r as 'user'}`)))
      case 'cause':
        return format.list(filter.cause.map((c) => t(causeText(c))))
      case 'devices':
        return t('users.atLeast', { n: filter.devices })
      case 'held':
        return t('status.held')
      case 'private':
        return t('users.hides')
      case 'never':
        return t('status.never')
      default:
        return typeof v === 'number' ? format.durationLong(v) : String(v)
    }
  }

  return (
    <>
      {on.map((k) => {
        const facet = facetOf[k]
        return (
          <span key={k} className={styles.chip}>
            <span>
              {facet !== 'other' && `${t(facets[facet])}: `}
              <b className={styles.value}>{says(k)}</b>
            </span>
            <button
              type="button"
              aria-label={t('users.drop', { what: says(k) })}
              onClick={() => address.set({ [names[k]]: null }, true)}
            >
              <Icon name="close" size={12} />
            </button>
          </span>
        )
      })}
      <Button
        icon="filter"
        kind="plain"
        data-filter
        aria-haspopup="menu"
        aria-expanded={open !== null}
        onClick={(e) => show(e.currentTarget, null)}
      >
        {t('users.filter')}
      </Button>
      {(on.length > 0 || filter.search) && (
        <Button kind="plain" onClick={reset}>
          {t('users.reset')}
        </Button>
      )}
      {open && (
        <MenuPanel
          key={open.facet ?? ''}
          label={t(open.facet ? facets[open.facet] : 'users.filter')}
          from={open.from}
          entries={entries(open.facet)}
          onClose={close}
        />
      )}
    </>
  )
}

const facetOf: Readonly<Record<keyof Filter, Facet>> = {
  search: 'other',
  status: 'presence',
  account: 'account',
  role: 'role',
  cause: 'why',
  held: 'other',
  private: 'other',
  devices: 'devices',
  seenWithin: 'seen',
  unseenFor: 'unseen',
  never: 'other',
  sinceFor: 'since',
}

/** What a part of a filter is called. */
export const facetText = (k: keyof Filter): Label => (k === 'search' ? 'users.search' : facets[facetOf[k]])
