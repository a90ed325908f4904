import { Suspense } from 'react'
import { Route, Switch } from 'wouter'
import { routes } from './routes'

export function App() {
  return (
    <Suspense>
      <Switch>
        {routes.map(({ path, Page }) => (
          <Route key={path} path={path} component={Page} />
        ))}
      </Switch>
    </Suspense>
  )
}
