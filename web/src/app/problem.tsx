import { Notice } from '../components'
import { ApiError } from '../data'
import { type Key, useReading } from '../i18n'

/** Says why something was refused in the reader's language, as far as the code of the refusal is known. */
export function useTell(): (error: unknown) => string {
  const { t, pack, format } = useReading()
  return (error) => {
    if (!(error instanceof ApiError)) return t('state.offline')
    const { problem } = error
    // The server speaks English, and knows more of the case than its code does.
    if (pack.language === 'en' && problem.detail) return problem.detail
    const known = `problem.${problem.code}` in pack.texts
    let text = known ? t(`problem.${problem.code}` as Extract<Key, 'problem.conflict'>) : t('problem.unknown')
    const { field, bound, retry_after: wait } = problem
    if (field && bound) text = t('problem.bound', { text, field, bound })
    else if (field) text = t('problem.field', { text, field })
    if (wait) text = t('problem.wait', { text, time: format.durationLong(wait * 1000) })
    return text
  }
}

/** The same beside what was tried, with the server's own words below. */
export function Problem({ error }: { readonly error: unknown }) {
  const { t, pack } = useReading()
  const tell = useTell()
  const original = error instanceof ApiError ? error.problem.detail : undefined
  return (
    <Notice kind="danger">
      {tell(error)}
      {pack.language !== 'en' && original && (
        <details>
          <summary>{t('problem.original')}</summary>
          <bdi lang="en" dir="ltr">
            {original}
          </bdi>
        </details>
      )}
    </Notice>
  )
}
