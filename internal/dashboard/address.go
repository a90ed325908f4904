package dashboard

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
)

// pages are the addresses that the page knows (web/src/app/routes.tsx, and the set-up); * is any one word.
var pages = []string{
	"/", "/audit", "/events", "/identity", "/settings", "/setup", "/system", "/tokens", "/trash", "/tv", "/users", "/users/*",
	"/webhooks",
}

// programs are the first words of addresses that are for programs, in lower case: no page is below them.
var programs = []string{"api", "assets", "debug", "healthz", "livez", "metrics", "readyz", "sdk", "static", "ws"}

// isPage reports whether the page knows an address.
func isPage(u *url.URL) bool {
	if !looksLikePage(u) {
		return false
	}
	at := strings.TrimSuffix(u.Path, "/")
	if at == "" {
		at = "/"
	}
	return slices.ContainsFunc(pages, func(page string) bool {
		matched, err := path.Match(page, at)
		return err == nil && matched
	})
}

// looksLikePage reports whether an address is one that a person might have typed or followed: plainly written (nothing
// encoded that means something in a path, no empty and no dot segments), no file, and nothing that is for programs.
func looksLikePage(u *url.URL) bool {
	at := u.Path
	if !strings.HasPrefix(at, "/") || strings.Contains(u.EscapedPath(), "%2") || strings.ContainsAny(at, "\\;%\x00\r\n") {
		return false
	}
	if clean := path.Clean(at); at != clean && at != clean+"/" || path.Ext(clean) != "" {
		return false
	}
	first, _, _ := strings.Cut(at[1:], "/")
	return !slices.ContainsFunc(programs, func(word string) bool { return strings.EqualFold(first, word) })
}

// wantsPage reports whether the answer is for somebody's eyes.
func wantsPage(h http.Header) bool {
	return strings.Contains(h.Get("Accept"), "text/html")
}

// Plain refuses what is not plainly written before a ServeMux below it redirects to what it takes for the clean address:
// to whom asks with auth_request or the like, a redirect is neither yes nor no.
func Plain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		at := r.URL.Path
		if clean := path.Clean(at); !strings.HasPrefix(at, "/") || at != clean && at != clean+"/" {
			Missing(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// Missing answers that there is nothing here, with the problem that /api/v1 has for it: a program that asks here was on
// its way there.
func Missing(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	// An error here: who is gone needs no answer.
	_, _ = w.Write([]byte(`{"type":"/api/docs#problem-not_found","title":"Not found","status":404,"detail":"There is nothing at this path.","code":"not_found"}`))
}
