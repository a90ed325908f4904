import { type ReactNode, useId, useState } from 'react'
import { useReading } from '../i18n'
import css from './charts.module.css'
import { type Cell, csv, download } from './csv'

/** What a chart shows, as rows: the twin for those who do not see it, and for spreadsheets. */
export interface TableTwin {
  readonly head: readonly string[]
  /** Rows as people read them. */
  readonly rows: () => readonly (readonly string[])[]
  /** The same for machines: ISO moments, plain numbers. */
  readonly csvHead: readonly string[]
  readonly csvRows: () => Iterable<readonly Cell[]>
  /** The name of the file, without .csv. */
  readonly file: string
}

export interface ChartFrameProps {
  readonly title: string
  /** What is right now under the cursor, or what the whole says; one line, always there so that nothing jumps. */
  readonly readout?: ReactNode
  readonly legend?: ReactNode
  /** Buttons of the chart: its ranges. */
  readonly controls?: ReactNode
  readonly twin: TableTwin
  /** What the times on it are: UTC+4:30. */
  readonly zone?: string
  readonly stale?: boolean
  readonly level?: 2 | 3
  readonly children: ReactNode
}

/** A chart with its name, its words, its table and its file. */
export function ChartFrame({
  title,
  readout,
  legend,
  controls,
  twin,
  zone,
  stale,
  level = 2,
  children,
}: ChartFrameProps) {
  const { t } = useReading()
  const [asTable, setAsTable] = useState(false)
  const id = useId()
  const Heading = level === 2 ? 'h2' : 'h3'
  return (
    <section className={css.chart} aria-labelledby={id} data-stale={stale || undefined}>
      <header className={css.chartHead}>
        <Heading id={id}>{title}</Heading>
        {controls}
        <span className={css.chartTools}>
          {zone && (
            <span className={css.chartZone} title={t('time.zone', { zone })}>
              <bdi>{zone}</bdi>
            </span>
          )}
          <button type="button" className={css.quiet} aria-pressed={asTable} onClick={() => setAsTable(!asTable)}>
            {t('chart.table')}
          </button>
          <button
            type="button"
            className={css.quiet}
            aria-label={t('act.csvOf', { what: title })}
            onClick={() => download(`${twin.file}.csv`, csv(twin.csvHead, twin.csvRows()))}
          >
            {t('act.csv')}
          </button>
        </span>
      </header>
      {legend && <div className={css.chartLegend}>{legend}</div>}
      {asTable ? <Twin twin={twin} title={title} /> : children}
      {readout !== undefined && !asTable && <p className={css.chartReadout}>{readout}</p>}
    </section>
  )
}

function Twin({ twin, title }: { readonly twin: TableTwin; readonly title: string }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must scroll by keyboard, too
    <div className={css.chartTwin} tabIndex={0} role="region" aria-label={title}>
      <table>
        <thead>
          <tr>
            {twin.head.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {twin.rows().map((row, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no identity beyond their place
            <tr key={i}>
              {row.map((text, j) =>
                j === 0 ? (
                  <th key={twin.head[j]} scope="row">
                    {text}
                  </th>
                ) : (
                  <td key={twin.head[j]}>{text}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

/** A name with the mark that the chart draws it with. */
export function LegendItem({
  mark,
  line,
  children,
}: {
  readonly mark: string
  readonly line?: 'thick' | 'thin' | 'dashed'
  readonly children: ReactNode
}) {
  return (
    <span className={css.legendItem}>
      <i className={css.legendMark} data-tone={mark} data-line={line} aria-hidden="true" />
      {children}
    </span>
  )
}

/** How the timeline draws a status. */
export function StretchMark({ status }: { readonly status: 'online' | 'away' | 'offline' | 'unknown' }) {
  return <i className={css.stretchMark} data-status={status} aria-hidden="true" />
}
