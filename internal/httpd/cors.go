package httpd

import (
	"net/http"
	"strings"
)

// cors lets the pages of configured origins call, with credentials, and nobody else's. There is no wildcard.
type cors struct {
	// origins has the value of Access-Control-Allow-Origin for every origin that may call.
	origins map[string][]string
	expose  []string
}

// Header values as recorded.
var (
	allowHeaders = []string{"accept, accept-encoding, authorization, content-type, dnt, origin, user-agent, x-csrftoken, x-requested-with"}
	allowMethods = []string{"DELETE, GET, OPTIONS, PATCH, POST, PUT"}
	maxAge       = []string{"86400"}
	yes          = []string{"true"}
	varyOrigin   = []string{"Origin"}
)

func newCORS(origins, expose []string) cors {
	c := cors{
		origins: make(map[string][]string, len(origins)),
		expose:  []string{strings.Join(append([]string{"Content-Type", "X-CSRFToken", "X-Request-Id", "Retry-After"}, expose...), ", ")},
	}
	for _, origin := range origins {
		c.origins[origin] = []string{origin}
	}
	return c
}

// handle sets the headers an origin has a right to, and reports whether the request was only a question about
// that (a preflight), which is answered with 200 and nothing else, whoever asks.
func (c *cors) handle(h http.Header, r *http.Request) (preflight bool) {
	if len(c.origins) > 0 {
		// On every answer: a cache must not give one origin's answer to another.
		h["Vary"] = varyOrigin
	}
	from := r.Header["Origin"]
	if len(from) == 0 {
		return false
	}
	preflight = r.Method == http.MethodOptions && len(r.Header["Access-Control-Request-Method"]) > 0
	if preflight {
		h["Content-Type"] = typeHTML
	}
	if len(from) > 1 {
		return preflight
	}
	allowed, known := c.origins[from[0]]
	if !known {
		return preflight
	}
	h["Access-Control-Allow-Origin"] = allowed
	h["Access-Control-Allow-Credentials"] = yes
	h["Access-Control-Expose-Headers"] = c.expose
	if preflight {
		h["Access-Control-Allow-Headers"] = allowHeaders
		h["Access-Control-Allow-Methods"] = allowMethods
		h["Access-Control-Max-Age"] = maxAge
	}
	return preflight
}
