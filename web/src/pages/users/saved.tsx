import { useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useLocation } from 'wouter'
import { useShell } from '../../app/context'
import { useTell } from '../../app/problem'
import { Button, Dialog, Field, MenuButton, type MenuEntry } from '../../components'
import { useApi, useMe } from '../../data'
import { useReading } from '../../i18n'
import type { NewView, ViewList } from '../../wire'
import { type ViewName, views } from './query'
import styles from './users.module.css'

/** Views that everybody has, those that were saved here, and the one that is on the screen to be saved. */
export function SavedViews({ search, onMenu }: { readonly search: string; readonly onMenu: (open: boolean) => void }) {
  const { t } = useReading()
  const api = useApi()
  const me = useMe()
  const { toast } = useShell()
  const client = useQueryClient()
  const [, navigate] = useLocation()
  const [saving, setSaving] = useState(false)
  const saved = useQuery({ queryKey: ['views'], queryFn: ({ signal }) => api.get<ViewList>('/views', {}, signal) })
  const mine = saved.data?.items.filter((v) => v.page === 'users') ?? []
  const here = canonical(search)
  const go = (query: string) => navigate(query ? `/users?${query}` : '/users')
  const usual = (Object.keys(views) as ViewName[]).map((name) => ({
    name,
    query: String(new URLSearchParams(views[name])),
  }))
  const current = mine.find((v) => canonical(v.query) === here)
  const currentUsual = usual.find((v) => canonical(v.query) === here)
  const drop = async (id: string) => {
    try {
      await api.send('DELETE', `/views/${id}`)
      await client.invalidateQueries({ queryKey: ['views'] })
    } catch {
      toast({ text: t('state.failed') })
    }
  }
  const entries: MenuEntry[] = [
    ...usual.map((v) => ({
      label: t(`users.view.${v.name}`),
      checked: v === currentUsual,
      run: () => go(v.query),
    })),
    ...(mine.length ? [t('users.savedViews')] : []),
    ...mine.map((v) => ({
      label: <bdi>{v.name}</bdi>,
      checked: v === current,
      end: v.shared && !v.mine ? <bdi>{v.owner_name}</bdi> : v.shared ? t('users.shared') : undefined,
      run: () => go(v.query),
    })),
    null,
    {
      label: t('users.saveView'),
      icon: 'star',
      disabled: current ? t('users.isSaved') : false,
      run: () => setSaving(true),
    },
    ...(current && (current.mine || me.role === 'admin')
      ? [{ label: t('users.dropView'), icon: 'trash' as const, run: () => void drop(current.id) }]
      : []),
  ]
  return (
    <>
      <MenuButton data-testid="view" label={t('users.view')} icon="eye" kind="plain" entries={entries} onOpen={onMenu}>
        <span className="visually-hidden">{t('users.view')}: </span>
        {current ? <bdi>{current.name}</bdi> : currentUsual ? t(`users.view.${currentUsual.name}`) : t('users.view')}
      </MenuButton>
      {saving && (
        <Save
          onClose={() => setSaving(false)}
          onSave={async (name, shared) => {
            const view: NewView = { name, shared, page: 'users', query: here }
            await api.send('POST', '/views', view)
            await client.invalidateQueries({ queryKey: ['views'] })
            toast({ text: t('state.saved') })
          }}
        />
      )}
    </>
  )
}

function Save({
  onSave,
  onClose,
}: {
  readonly onSave: (name: string, shared: boolean) => Promise<void>
  readonly onClose: () => void
}) {
  const { t } = useReading()
  const tell = useTell()
  const [problem, setProblem] = useState('')
  return (
    <Dialog
      title={t('users.saveView')}
      onClose={onClose}
      foot={
        <>
          <Button onClick={onClose}>{t('act.cancel')}</Button>
          <Button kind="primary" type="submit" form="save-view">
            {t('act.save')}
          </Button>
        </>
      }
    >
      <form
        id="save-view"
        className={styles.form}
        onSubmit={(e) => {
          e.preventDefault()
          const form = new FormData(e.currentTarget)
          onSave(String(form.get('name')), form.get('shared') === 'on').then(onClose, (error: unknown) =>
            setProblem(tell(error)),
          )
        }}
      >
        <Field label={t('users.viewName')} name="name" required maxLength={80} dir="auto" problem={problem} />
        <label>
          <input type="checkbox" name="shared" /> {t('users.shareView')}
        </label>
      </form>
    </Dialog>
  )
}

/** The same view has the same text, in whatever order its parts came. */
function canonical(search: string): string {
  const params = new URLSearchParams(search)
  params.delete('tz') // whose times they are is no part of a view
  params.sort()
  return String(params).replaceAll('%2C', ',')
}
