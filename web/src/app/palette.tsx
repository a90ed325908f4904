import { type ReactNode, useId, useMemo, useState } from 'react'
import { Dialog, Icon, type IconName, StatusMark } from '../components'
import { type People, statuses, usePeople } from '../data'
import { fold, useReading } from '../i18n'
import styles from './palette.module.css'
import shell from './shell.module.css'

/** Something that can be done from the palette. */
export interface Command {
  readonly id: string
  readonly text: string
  readonly group: string
  readonly icon?: IconName
  readonly keys?: string
  readonly run: () => void
}

interface Option extends Omit<Command, 'icon' | 'text'> {
  readonly label: ReactNode
  readonly end?: ReactNode
}

const most = 8

/** The first people that a text finds; those whose name begins with it come first. */
export function findPeople(people: People, text: string, limit = most): number[] {
  const words = fold(text).split(/\s+/).filter(Boolean)
  const [first] = words
  if (!first) return []
  const begin: number[] = []
  const rest: number[] = []
  for (let row = 0; row < people.rows && begin.length < limit; row++) {
    if (people.gone[row]) continue
    const all = people.folded(row)
    if (!words.every((word) => all.includes(word))) continue
    if (all.startsWith(first)) begin.push(row)
    else if (rest.length < limit) rest.push(row)
  }
  return [...begin, ...rest].slice(0, limit)
}

/** Everything by its name: pages, acts, people. */
export function Palette({
  commands,
  onPerson,
  onClose,
}: {
  readonly commands: readonly Command[]
  readonly onPerson: (id: string) => void
  readonly onClose: () => void
}) {
  const { t } = useReading()
  const { people } = usePeople()
  const [text, setText] = useState('')
  const [at, setAt] = useState(0)
  const id = useId()
  const options = useMemo<readonly Option[]>(() => {
    const words = fold(text).split(/\s+/).filter(Boolean)
    const met = commands.filter((c) => words.every((word) => fold(`${c.text} ${c.group}`).includes(word)))
    return [
      ...met.map((c) => ({
        ...c,
        label: (
          <>
            {c.icon && <Icon name={c.icon} />} {c.text}
          </>
        ),
        end: c.keys && <kbd className={shell.kbd}>{c.keys}</kbd>,
      })),
      ...findPeople(people, text).map((row) => ({
        id: `user-${people.id[row]}`,
        group: t('shell.people'),
        label: (
          <>
            <StatusMark status={statuses[people.status[row] ?? 0] ?? 'offline'} />
            <bdi>{people.username[row]}</bdi>
          </>
        ),
        end: <bdi>{people.email[row]}</bdi>,
        run: () => onPerson(people.id[row] ?? ''),
      })),
    ]
  }, [text, commands, people, people.accountsVersion, t, onPerson])
  const chosen = options[Math.min(at, options.length - 1)]
  const run = (option: Option | undefined) => {
    if (!option) return
    onClose()
    option.run()
  }
  return (
    <Dialog bare width={36} title={t('shell.palette')} onClose={onClose}>
      <input
        className={styles.input}
        placeholder={t('shell.paletteHint')}
        role="combobox"
        aria-label={t('shell.paletteHint')}
        aria-expanded="true"
        aria-controls={`${id}-list`}
        aria-activedescendant={chosen && `${id}-${chosen.id}`}
        autoComplete="off"
        spellCheck={false}
        value={text}
        onChange={(e) => {
          setText(e.target.value)
          setAt(0)
        }}
        onKeyDown={(e) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[e.key]
          if (step) {
            e.preventDefault()
            setAt((Math.min(at, options.length - 1) + step + options.length) % options.length)
          } else if (e.key === 'Enter') {
            e.preventDefault()
            run(chosen)
          }
        }}
      />
      <div id={`${id}-list`} className={styles.list} role="listbox" aria-label={t('shell.palette')}>
        {options.map((option, i) => (
          <div key={option.id} role="presentation">
            {option.group !== options[i - 1]?.group && (
              <div className={styles.group} role="presentation">
                {option.group}
              </div>
            )}
            {/* biome-ignore lint/a11y/useKeyWithClickEvents: keys go to the field, as a combobox does it */}
            <div
              id={`${id}-${option.id}`}
              className={styles.option}
              role="option"
              tabIndex={-1}
              aria-selected={option === chosen}
              ref={option === chosen ? (el) => el?.scrollIntoView({ block: 'nearest' }) : undefined}
              onClick={() => run(option)}
              onPointerMove={() => setAt(i)}
            >
              {option.label}
              {option.end && <span className={styles.more}>{option.end}</span>}
            </div>
          </div>
        ))}
        {!options.length && <div className={styles.none}>{t('shell.nothingFound')}</div>}
      </div>
    </Dialog>
  )
}
