import { useEffect, useRef, useState } from 'react'
import { useLive, useTruth } from '../data'
import { useReading } from '../i18n'
import { useShellPreferences } from './context'

const pace = 10_000

/**
 * The one polite live region of the page: at most a sentence every ten seconds. Whether the numbers can be believed is
 * always told, comings and goings where somebody asked for it.
 */
export function Announcer({ said }: { readonly said: { readonly text: string; readonly n: number } }) {
  const { t } = useReading()
  const live = useLive()
  const truth = useTruth()
  const { announce } = useShellPreferences()
  const [text, setText] = useState('')
  const last = useRef(0)
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined)
  const say = (sentence: string) => {
    clearTimeout(waiting.current)
    const wait = Math.max(0, last.current + pace - Date.now())
    waiting.current = setTimeout(() => {
      last.current = Date.now()
      setText(sentence)
    }, wait)
  }
  useEffect(() => () => clearTimeout(waiting.current), [])
  const was = useRef(truth.state)
  useEffect(() => {
    if (was.current === truth.state) return
    if (truth.state === 'reconnecting') say(t('shell.announceLost'))
    if (truth.state === 'live' && was.current === 'reconnecting') say(t('shell.announceBack'))
    was.current = truth.state
  }, [truth.state])
  useEffect(() => {
    if (said.n) say(said.text)
  }, [said])
  useEffect(() => {
    if (!announce) return
    let came = 0
    let left = 0
    const stop = live.on('change', (users) => {
      for (const u of users) {
        if (u.from === 'offline') came++
        if (u.s === 'offline') left++
      }
    })
    const timer = setInterval(() => {
      if (came || left) say(t('shell.announceCame', { came, left }))
      came = left = 0
    }, pace)
    return () => {
      clearInterval(timer)
      stop()
    }
  }, [announce, live, t])
  return (
    <div className="visually-hidden" aria-live="polite">
      {text}
    </div>
  )
}
