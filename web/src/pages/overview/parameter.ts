import { useSearchParams } from 'wouter'

/** A value of the address: what a page shows can be sent to somebody else. */
export function useParameter(name: string): [string | null, (value: string) => void] {
  const [parameters, setParameters] = useSearchParams()
  return [
    parameters.get(name),
    (value) =>
      setParameters(
        (before) => {
          const next = new URLSearchParams(before)
          next.set(name, value)
          return next
        },
        { replace: true },
      ),
  ]
}
