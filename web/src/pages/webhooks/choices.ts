import type { Webhook } from '../../wire'

/** Everything, as a webhook lists it. */
export const everything = '*'

/** Whether a choice of events tells of this one, by its name, by its group or by everything. */
export function tells(chosen: readonly string[], event: string): boolean {
  return chosen.includes(everything) || chosen.includes(event) || chosen.includes(groupOf(event))
}

/** user.online is of the group user.*; everything is a group of its own. */
export function groupOf(event: string): string {
  const dot = event.indexOf('.')
  return dot < 0 ? everything : `${event.slice(0, dot)}.*`
}

/** Takes an event or a group in or out. A group replaces what it covers, and so does everything. */
export function choose(chosen: readonly string[], name: string, on: boolean): string[] {
  const others = chosen.filter((one) => one !== name && !(on && covers(name, one)))
  return on ? [...others, name] : others
}

const covers = (group: string, name: string) =>
  group === everything || (group.endsWith('.*') && name.startsWith(group.slice(0, -1)))

/** Ids as people type them: with commas, Arabic ones too, spaces or lines between. */
export function idsOf(text: string): string[] {
  return [...new Set(text.split(/[\s,\u060c]+/).filter(Boolean))]
}

/** How a webhook stands: an active one whose last attempt failed is in trouble. */
export type Standing = Webhook['state'] | 'trouble'

export const standingOf = (hook: Pick<Webhook, 'state' | 'failures'>): Standing =>
  hook.state === 'active' && hook.failures > 0 ? 'trouble' : hook.state

/** The body of a delivery in lines, as people read JSON; what is no JSON stays as it is. */
export function readable(body: string): string {
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}
