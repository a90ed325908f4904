import { Page } from '../../components'
import { useReading } from '../../i18n'
import { Check } from './check'
import css from './identity.module.css'
import { ProxyPanel } from './proxy'

/** Setting up who comes in: whether a token of another issuer is good, and whether a proxy tells who is active. */
export default function Identity() {
  const { t } = useReading()
  return (
    <Page title={t('identity.title')} about={<p className={css.soft}>{t('identity.about')}</p>}>
      <Check />
      <ProxyPanel />
    </Page>
  )
}
