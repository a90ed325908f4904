import { Component, type ReactNode } from 'react'
import { Failed } from '../components'

/** A page that fails leaves the shell standing, and can be tried again. */
export class Boundary extends Component<{ readonly children: ReactNode }, { failed: boolean }> {
  override state = { failed: false }
  static getDerivedStateFromError() {
    return { failed: true }
  }
  override render() {
    if (!this.state.failed) return this.props.children
    // A chunk of an older build is gone when the server was upgraded: only the new page knows the new names.
    return <Failed onRetry={() => location.reload()} />
  }
}
