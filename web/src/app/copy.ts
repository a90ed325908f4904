import { useReading } from '../i18n'
import { useShell } from './context'

/** Puts text on the clipboard and says so, or says that it could not. */
export function useCopy(): (text: string) => void {
  const { t } = useReading()
  const shell = useShell()
  return (text) => {
    void copyText(text).then((copied) => shell.toast({ text: t(copied ? 'act.copied' : 'act.notCopied') }))
  }
}

/** Browsers give navigator.clipboard to secure pages only; on plain http inside a company's network the old way is left. */
export async function copyText(text: string): Promise<boolean> {
  if (!navigator.clipboard) return copySelected(text)
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return copySelected(text)
  }
}

function copySelected(text: string): boolean {
  const focused = document.activeElement
  const holder = document.createElement('textarea')
  holder.value = text
  holder.readOnly = true
  holder.style.position = 'fixed' // nothing scrolls to it
  holder.style.opacity = '0'
  const inTheWay = document.querySelectorAll('dialog[open]') // what is outside of a modal dialog takes no focus
  ;(inTheWay[inTheWay.length - 1] ?? document.body).append(holder)
  holder.select()
  try {
    return document.execCommand('copy')
  } finally {
    holder.remove()
    if (focused instanceof HTMLElement) focused.focus()
  }
}
