package dashboard

import (
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A proxy that asks at an address which is almost that of the API must not take the page for a yes.
func TestOnlyTheAddressesOfThePageAreThePage(t *testing.T) {
	s := Plain(site(t))
	for _, target := range []string{
		"/API/v1/forward-auth", "/Api/v1/forward-auth", "/aPI/", "/api", "/api/v1/forward-auth", "/%41PI/v1/forward-auth",
		"//api/v1/forward-auth", "//API/v1/forward-auth", "/./API/v1", "/x/../API/v1/forward-auth", "/users/../api/v1/x", "/users//7",
		"/API%2fv1%2fforward-auth", "/api%2Fv1/forward-auth", "/users%2f7", "/users/%2e%2e/api", "/%2e%2e/", "/users/.", "/users/..",
		"/api%00", "/api;x=1/v1/forward-auth", "/users;x", "/ api/v1", "/%20api/v1", "/api%20/v1", "/api%0a", "/api\\v1", "/%5capi",
		"/\uff41\uff50\uff49/v1/forward-auth", "/ap\u0131/v1", "/api\u200b/v1", "/v1/forward-auth", "/forward-auth",
		"/SDK/presence.js", "/sdk", "/WS", "/ws/", "/Metrics", "/metrics", "/assets", "/assets/", "/ASSETS/app-1a2b.js", "/Healthz",
		"/debug/pprof/", "/wp-login.php", "/users/7.json", "/users/.git", "/.env", "/users/7/8", "/usersx", "/Users", "/nothing",
		"/index.htm", "/INDEX.HTML", "/users/7/..;/api",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"} {
			for _, accept := range []string{"", "*/*", "application/json", "text/html,*/*;q=0.8"} {
				got := getFrom(t, s, method, target, "Accept", accept)
				if got.StatusCode != http.StatusNotFound {
					t.Errorf("%s %q accepting %q: %d, want 404", method, target, accept, got.StatusCode)
				}
				kind := got.Header.Get("Content-Type")
				if !strings.Contains(accept, "text/html") && kind != problem {
					t.Errorf("%s %q accepting %q is answered with %s", method, target, accept, kind)
				}
			}
		}
	}
}

func TestAPersonWhoIsLostSeesThePage(t *testing.T) {
	s := Plain(site(t))
	browser := []string{"Accept", "text/html,application/xhtml+xml,*/*;q=0.8"}
	for target, want := range map[string]string{
		"/nothing": "text/html; charset=utf-8", "/users/7/8": "text/html; charset=utf-8",
		"/api/v1/nothing": problem, "/API/v1/users": problem, "/assets/gone.js": problem, "/users/7.json": problem,
	} {
		got := getFrom(t, s, "GET", target, browser...)
		if got.StatusCode != http.StatusNotFound || got.Header.Get("Content-Type") != want || got.Header.Get("Cache-Control") != "no-store" ||
			got.Header.Get("ETag") != "" {
			t.Errorf("%s: %d %v, want 404 and %s that nobody keeps", target, got.StatusCode, got.Header, want)
		}
	}
}

func TestEveryRouteOfThePageIsKnownHere(t *testing.T) {
	text, err := os.ReadFile("../../web/src/app/routes.tsx")
	if err != nil {
		t.Fatal(err)
	}
	routes := []string{"/setup"}
	for _, m := range regexp.MustCompile(`path: '([^']+)'`).FindAllStringSubmatch(string(text), -1) {
		routes = append(routes, regexp.MustCompile(`:\w+`).ReplaceAllString(m[1], "*"))
	}
	slices.Sort(routes)
	if !slices.Equal(routes, pages) {
		t.Errorf("the page has the routes %q, the server knows %q", routes, pages)
	}
	s := Plain(site(t))
	for _, route := range routes {
		for _, target := range []string{strings.ReplaceAll(route, "*", "7"), strings.ReplaceAll(route, "*", "7") + "?a=1"} {
			if got := getFrom(t, s, "GET", target); got.StatusCode != http.StatusOK {
				t.Errorf("%s: %d", target, got.StatusCode)
			}
		}
	}
}
