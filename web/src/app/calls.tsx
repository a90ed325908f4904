import { useMemo, useState } from 'react'
import { Button, Dialog } from '../components'
import { type Call, curlOf, useApi } from '../data'
import { Say, useReading } from '../i18n'
import styles from './calls.module.css'
import { useCopy } from './copy'

/** Every request behind what is on the screen, as a command line that makes it again, and what it was answered. */
export function CallsDrawer({ onClose }: { readonly onClose: () => void }) {
  const { t } = useReading()
  const { calls } = useApi()
  const [list] = useState(calls.get) // it stands still while somebody reads it
  const did = list.filter((c) => c.method !== 'GET')
  const read = list.filter((c) => c.method === 'GET')
  return (
    <Dialog title={t('calls.title')} onClose={onClose} width={46}>
      <p className={styles.about}>
        <Say k="calls.about" v={{ token: <code dir="ltr">$TOKEN</code> }} />
      </p>
      <Group title={t('calls.did')} calls={did} open />
      <Group title={t('calls.read')} calls={read} />
    </Dialog>
  )
}

function Group({
  title,
  calls,
  open = false,
}: {
  readonly title: string
  readonly calls: readonly Call[]
  readonly open?: boolean
}) {
  const { t } = useReading()
  return (
    <section className={styles.group}>
      <h3>{title}</h3>
      {calls.length === 0 && <p className={styles.about}>{t('calls.none')}</p>}
      {calls.map((call, i) => (
        <One key={call.n} call={call} open={open && i === 0} />
      ))}
    </section>
  )
}

function One({ call, open }: { readonly call: Call; readonly open: boolean }) {
  const { t, format: f } = useReading()
  const copy = useCopy()
  const [shown, setShown] = useState(open)
  const curl = useMemo(() => curlOf(call, location.origin), [call])
  return (
    <details className={styles.call} open={open} onToggle={(e) => setShown(e.currentTarget.open)}>
      <summary>
        <bdi dir="ltr">
          <b>{call.method}</b> {call.path}
        </bdi>
        <span className={styles.end}>
          <span className={call.status >= 200 && call.status < 300 ? styles.good : styles.bad}>
            {call.status || t('calls.noAnswer')}
          </span>{' '}
          <bdi dir="ltr">{f.decimal(call.milliseconds)} ms</bdi>
        </span>
      </summary>
      {shown && (
        <>
          <pre className={styles.code} dir="ltr" data-curl>
            {curl}
          </pre>
          <Button onClick={() => copy(curl)}>{t('calls.copy')}</Button>
          {call.status !== 204 && call.status !== 0 && (
            <>
              <h4>{t('calls.answer')}</h4>
              {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be scrolled by keys */}
              <pre className={styles.code} dir="ltr" tabIndex={0} aria-label={t('calls.answer')} role="group">
                {call.answer === undefined ? t('calls.large') : JSON.stringify(call.answer, null, 2).slice(0, 20_000)}
              </pre>
            </>
          )}
        </>
      )}
    </details>
  )
}
