import { Dialog, Select } from '../components'
import { languageNames, languages, useReader, useReading } from '../i18n'
import { useShell, useShellPreferences } from './context'
import styles from './dialogs.module.css'
import shell from './shell.module.css'
import { useShortcuts } from './shortcuts'

/** Every key that does something here. */
export function Keys({ onClose }: { readonly onClose: () => void }) {
  const { t } = useReading()
  const all = useShortcuts().all()
  return (
    <Dialog title={t('shell.keys')} onClose={onClose}>
      <dl className={styles.keys}>
        {all.map((s) => (
          <div key={s.keys} style={{ display: 'contents' }}>
            <dt>{t(s.text)}</dt>
            <dd>
              {s.keys
                .replace('mod+', 'Ctrl ')
                .split(' ')
                .map((key) => (
                  <kbd key={key} className={shell.kbd}>
                    {key.length === 1 && s.keys.startsWith('mod+') ? key.toUpperCase() : key}
                  </kbd>
                ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}

const zones = typeof Intl.supportedValuesOf === 'function' ? Intl.supportedValuesOf('timeZone') : []

/** How somebody reads and works; it holds at once. */
export function Preferences({ onClose }: { readonly onClose: () => void }) {
  const { t, preferences, format } = useReading()
  const reader = useReader()
  const { preferring } = useShell()
  const shown = useShellPreferences()
  return (
    <Dialog title={t('shell.preferences')} onClose={onClose} width={34}>
      <div className={styles.form}>
        <div className={styles.two}>
          <Select
            label={t('shell.language')}
            value={preferences.language}
            onChange={(e) => void reader.set({ language: e.target.value as typeof preferences.language })}
          >
            {languages.map((l) => (
              <option key={l} value={l}>
                {languageNames[l]}
              </option>
            ))}
          </Select>
          <Select
            label={t('shell.theme')}
            value={shown.theme}
            onChange={(e) => preferring.change({ theme: e.target.value as typeof shown.theme })}
          >
            {(['auto', 'light', 'dark'] as const).map((theme) => (
              <option key={theme} value={theme}>
                {t(`shell.theme.${theme}`)}
              </option>
            ))}
          </Select>
          <Select
            label={t('shell.zone')}
            value={preferences.zone}
            onChange={(e) => void reader.set({ zone: e.target.value })}
          >
            <option value="auto">{t('shell.zoneAuto')}</option>
            {['UTC', ...zones.filter((z) => z !== 'UTC')].map((z) => (
              <option key={z} value={z}>
                {z.replaceAll('_', ' ')}
              </option>
            ))}
          </Select>
          <Select
            label={t('shell.calendar')}
            value={preferences.calendar}
            onChange={(e) => void reader.set({ calendar: e.target.value as typeof preferences.calendar })}
          >
            <option value="auto">{t('shell.byLanguage')}</option>
            <option value="gregorian">{t('shell.calendar.gregorian')}</option>
            <option value="solar">{t('shell.calendar.solar')}</option>
          </Select>
          <Select
            label={t('shell.digits')}
            value={preferences.digits}
            onChange={(e) => void reader.set({ digits: e.target.value as typeof preferences.digits })}
          >
            <option value="auto">{t('shell.byLanguage')}</option>
            <option value="latin">0123456789</option>
            <option value="extended">۰۱۲۳۴۵۶۷۸۹</option>
            <option value="arabic">٠١٢٣٤٥٦٧٨٩</option>
          </Select>
          <Select
            label={t('shell.weekStart')}
            value={String(preferences.weekStart)}
            onChange={(e) => {
              const day = e.target.value
              void reader.set({ weekStart: day === 'auto' ? 'auto' : (Number(day) as 0) })
            }}
          >
            <option value="auto">{t('shell.byLanguage')}</option>
            {([6, 0, 1] as const).map((day) => (
              <option key={day} value={day}>
                {format.weekday(day)}
              </option>
            ))}
          </Select>
        </div>
        <label className={styles.check}>
          <input type="checkbox" checked={shown.keys} onChange={(e) => preferring.change({ keys: e.target.checked })} />
          {t('shell.singleKeys')}
          <small>{t('shell.singleKeysWhy')}</small>
        </label>
        <label className={styles.check}>
          <input
            type="checkbox"
            checked={shown.announce}
            onChange={(e) => preferring.change({ announce: e.target.checked })}
          />
          {t('shell.announce')}
          <small>{t('shell.announceWhy')}</small>
        </label>
      </div>
    </Dialog>
  )
}
