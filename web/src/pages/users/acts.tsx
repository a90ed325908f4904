import { useRef, useState } from 'react'
import { useShell } from '../../app/context'
import { useTell } from '../../app/problem'
import { Button, Dialog, Field, Notice, Select } from '../../components'
import { type People, useApi, useLive } from '../../data'
import { DAY, HOUR, MINUTE, readDigits, Say, useReading } from '../../i18n'
import type { Act, Job, JobRow, JobRows, NewJob } from '../../wire'
import styles from './users.module.css'

export type ActName = 'force_logout' | 'hold' | 'lift' | 'approve' | 'suspend' | 'activate' | 'ban' | 'trash'

export interface Asked {
  readonly act: ActName
  /** Who was meant when it was asked for. */
  readonly rows: readonly number[]
}

/** So many of a job's accounts go into one; more are several jobs. */
const most = 5000
/** From here on the number has to be typed. */
const many = 20

const untils = { none: 0, '15m': 15 * MINUTE, '1h': HOUR, '24h': DAY, '7d': 7 * DAY } as const

/** Asks once more, does it as jobs, and says what became of each. */
export function ActDialog({
  asked,
  people,
  onClose,
}: {
  readonly asked: Asked
  readonly people: People
  readonly onClose: (done: boolean) => void
}) {
  const { t, format } = useReading()
  const api = useApi()
  const live = useLive()
  const { toast } = useShell()
  const { act, rows } = asked
  const n = rows.length
  const [status, setStatus] = useState<'online' | 'away' | 'offline'>('away')
  const [until, setUntil] = useState<keyof typeof untils>('none')
  const [text, setText] = useState('')
  const [typed, setTyped] = useState('')
  const tell = useTell()
  const [problem, setProblem] = useState('')
  const [jobs, setJobs] = useState<readonly Job[]>()
  const [failures, setFailures] = useState<readonly JobRow[]>([])
  const stopped = useRef(false)
  const sure = n <= many || Number(readDigits(typed).replace(/\D/g, '')) === n

  const run = async () => {
    setProblem('')
    const what: Act = {
      act,
      ...(act === 'hold' && { status, note: text || undefined }),
      ...((act === 'hold' || act === 'suspend') &&
        untils[until] && { until: new Date(live.now() + untils[until]).toISOString() }),
      ...(act !== 'hold' && text && { reason: text }),
    }
    const ids = rows.map((row) => people.id[row] ?? '')
    const done: Job[] = []
    setJobs(done)
    try {
      for (let from = 0; from < n && !stopped.current; from += most) {
        const some = ids.slice(from, from + most)
        const order: NewJob = { ...what, ids: some, expected: some.length }
        let job = await api.send<Job>('POST', '/jobs', order)
        const at = done.push(job) - 1
        while (job.state === 'waiting' || job.state === 'running') {
          setJobs([...done])
          await new Promise((r) => setTimeout(r, 250))
          job = await api.get<Job>(`/jobs/${job.id}`)
          done[at] = job
        }
        setJobs([...done])
        if (job.failed) {
          const page = await api.get<JobRows>(`/jobs/${job.id}/rows`, { ok: false, limit: 500 })
          setFailures((f) => [...f, ...page.items])
        }
      }
      for (let from = 0; from < n; from += 500) await live.again(ids.slice(from, from + 500))
      const ok = done.reduce((sum, j) => sum + j.ok, 0)
      const undoable = done.filter((j) => j.undo_until)
      if (done.every((j) => !j.failed && j.state === 'done')) {
        toast({
          text: t(`users.did.${act}`, { n: ok }),
          act: undoable.length
            ? {
                label: t('act.undo'),
                run: () =>
                  void Promise.all(undoable.map((j) => api.send('POST', `/jobs/${j.id}/undo`))).then(
                    () => {
                      toast({ text: t('users.undone') })
                      setTimeout(() => void live.again(ids.slice(0, 500)), 1000)
                    },
                    () => toast({ text: t('users.notUndone') }),
                  ),
              }
            : undefined,
        })
        onClose(true)
      }
    } catch (e) {
      setJobs(undefined)
      setProblem(tell(e))
    }
  }

  const total = jobs?.reduce((sum, j) => sum + j.ok + j.failed, 0) ?? 0
  const ended = jobs && jobs.length * most >= n && jobs.every((j) => j.state !== 'waiting' && j.state !== 'running')
  const name = n === 1 ? (people.username[rows[0] ?? 0] ?? '') : ''
  const title = n === 1 ? t(`users.ask1.${act}`, { name }) : t(`users.ask.${act}`, { n })
  if (jobs) {
    return (
      <Dialog
        title={title}
        onClose={() => onClose(true)}
        foot={
          ended ? (
            <Button onClick={() => onClose(true)}>{t('act.close')}</Button>
          ) : (
            <Button
              onClick={() => {
                stopped.current = true
                for (const j of jobs) void api.send('POST', `/jobs/${j.id}/cancel`).catch(() => undefined)
              }}
            >
              {t('users.stop')}
            </Button>
          )
        }
      >
        <progress className={styles.progress} max={n} value={total} aria-label={title} />
        <p role="status">
          <Say
            k="users.progress"
            v={{ done: format.number(total), all: format.number(n), failed: format.number(failures.length) }}
          />
        </p>
        {failures.length > 0 && (
          <ul className={styles.failures}>
            {failures.map((f) => (
              <li key={f.user}>
                <bdi>{f.username ?? f.user}</bdi>
                <span>{f.detail}</span>
              </li>
            ))}
          </ul>
        )}
      </Dialog>
    )
  }
  return (
    <Dialog
      title={title}
      onClose={() => onClose(false)}
      foot={
        <>
          <Button onClick={() => onClose(false)}>{t('act.cancel')}</Button>
          <Button kind="primary" disabled={!sure} type="submit" form="act">
            {t(`users.act.${act}`)}
          </Button>
        </>
      }
    >
      <form
        id="act"
        className={styles.form}
        onSubmit={(e) => {
          e.preventDefault()
          if (sure) void run()
        }}
      >
        <p>{t(`users.about.${act}`)}</p>
        {problem && <Notice kind="danger">{problem}</Notice>}
        {act === 'hold' && (
          <Select
            label={t('users.col.status')}
            value={status}
            onChange={(e) => setStatus(e.target.value as typeof status)}
          >
            {(['online', 'away', 'offline'] as const).map((s) => (
              <option key={s} value={s}>
                {t(`status.${s}`)}
              </option>
            ))}
          </Select>
        )}
        {(act === 'hold' || act === 'suspend') && (
          <Select label={t('users.until')} value={until} onChange={(e) => setUntil(e.target.value as typeof until)}>
            {(Object.keys(untils) as (keyof typeof untils)[]).map((u) => (
              <option key={u} value={u}>
                {u === 'none' ? t('users.untilLifted') : format.durationLong(untils[u])}
              </option>
            ))}
          </Select>
        )}
        {act !== 'lift' && act !== 'approve' && act !== 'activate' && (
          <Field
            label={t(act === 'hold' ? 'users.note' : 'users.reason')}
            maxLength={500}
            value={text}
            dir="auto"
            onChange={(e) => setText(e.target.value)}
          />
        )}
        {n > many && (
          <Field
            label={t('users.typeCount', { n: format.number(n) })}
            inputMode="numeric"
            autoComplete="off"
            value={typed}
            onChange={(e) => setTyped(e.target.value)}
          />
        )}
      </form>
    </Dialog>
  )
}

/** Follows what a row's account allows. */
export function actsFor(people: People, row: number): readonly ActName[] {
  const account = people.account[row]
  return [
    'force_logout',
    'hold',
    ...(people.held[row] ? (['lift'] as const) : []),
    ...(account === 1 ? (['approve'] as const) : []),
    ...(account === 0 ? (['suspend', 'ban'] as const) : []),
    ...(account === 2 || account === 3 ? (['activate'] as const) : []),
    'trash',
  ]
}
