import type { Label } from '../../app/label'
import { Icon, type IconName } from '../../components'
import { useReading } from '../../i18n'
import type { WebhookDelivery } from '../../wire'
import type { Standing } from './choices'
import css from './webhooks.module.css'

type Tone = 'good' | 'bad' | 'warn' | 'still'

const standings: Readonly<Record<Standing, readonly [IconName, Tone, Label]>> = {
  active: ['check', 'good', 'webhooks.state.active'],
  trouble: ['alert', 'warn', 'webhooks.state.trouble'],
  paused: ['pause', 'still', 'webhooks.state.paused'],
  gone: ['close', 'bad', 'webhooks.state.gone'],
  failing: ['close', 'bad', 'webhooks.state.failing'],
}

const outcomes: Readonly<Record<WebhookDelivery['state'], readonly [IconName, Tone, Label]>> = {
  succeeded: ['check', 'good', 'deliveries.state.succeeded'],
  pending: ['alert', 'warn', 'deliveries.state.pending'],
  failed: ['close', 'bad', 'deliveries.state.failed'],
}

/** How something stands: in shape, word and colour. */
function Mark({ icon, tone, text }: { readonly icon: IconName; readonly tone: Tone; readonly text: Label }) {
  const { t } = useReading()
  return (
    <span className={css.mark} data-tone={tone}>
      <Icon name={icon} size={14} />
      {t(text)}
    </span>
  )
}

export function StandingMark({ standing }: { readonly standing: Standing }) {
  const [icon, tone, text] = standings[standing]
  return <Mark icon={icon} tone={tone} text={text} />
}

export function OutcomeMark({ state }: { readonly state: WebhookDelivery['state'] }) {
  const [icon, tone, text] = outcomes[state]
  return <Mark icon={icon} tone={tone} text={text} />
}
