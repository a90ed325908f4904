/** The proxies that a configuration is shown for. */
export const proxies = ['nginx', 'traefik', 'caddy'] as const
export type ProxyName = (typeof proxies)[number]

export const isProxy = (text: string | null): text is ProxyName => proxies.some((one) => one === text)

/** What goes into a proxy so that it tells this server of every request. nginx: as deploy/nginx/presence-mirror.conf. */
export function blockOf(proxy: ProxyName, origin: string): string {
  const { host, protocol } = new URL(origin)
  const url = `${origin}/api/v1/forward-auth?optional=1`
  switch (proxy) {
    case 'nginx':
      return `server {
    # … your app …
    location / {
        mirror /_presence;
        mirror_request_body off;
        proxy_pass http://app;
    }
    location = /_presence {
        internal;
        proxy_pass ${url};
        proxy_method GET;
        proxy_pass_request_body off;
        proxy_set_header Content-Length "";
        proxy_set_header X-Original-URI $request_uri;
        proxy_connect_timeout 200ms;
        proxy_send_timeout 300ms;
        proxy_read_timeout 300ms;
        access_log off;
    }
}`
    case 'traefik':
      return `http:
  middlewares:
    presence:
      forwardAuth:
        address: "${url}"
        authResponseHeaders: ["X-Presence-User", "X-Presence-Status"]`
    case 'caddy':
      return `app.example.org {
	forward_auth ${protocol === 'https:' ? origin : host} {
		uri /api/v1/forward-auth?optional=1
		copy_headers X-Presence-User X-Presence-Status
	}
	reverse_proxy app:3000

	handle_errors 502 503 504 {
		reverse_proxy app:3000
	}
}`
  }
}
