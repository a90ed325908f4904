package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"github.com/offchat/presence/wire"
)

// askBrowser asks as a page of this server does: with the header, and with the cookie that the browser has.
func (s *stack) askBrowser(method, path, cookie, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, "http://base.test"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set(browserHeader, "1")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if cookie != "" {
		r.AddCookie(&http.Cookie{Name: browserCookie, Value: cookie})
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func signedInBy(t *testing.T, w *httptest.ResponseRecorder) (wire.SignedIn, *http.Cookie) {
	t.Helper()
	var got wire.SignedIn
	cookies := w.Result().Cookies()
	if w.Code != 200 || json.Unmarshal(w.Body.Bytes(), &got) != nil || len(cookies) != 1 {
		t.Fatalf("%d %s, cookies %v", w.Code, w.Body, cookies)
	}
	return got, cookies[0]
}

const aliceSignsIn = `{"username":"alice","password":"` + testPassword + `"}`

func TestABrowserKeepsNothingThatScriptsCanRead(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"))
	w := s.askBrowser("POST", "/api/v1/session", "", aliceSignsIn)
	got, cookie := signedInBy(t, w)
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteStrictMode || cookie.Path != "/api/v1/session" || cookie.Secure ||
		cookie.MaxAge != int(s.auth.RefreshLifetime().Seconds()) || cookie.Domain != "" {
		t.Errorf("cookie %v", cookie)
	}
	if strings.Contains(w.Body.String(), cookie.Value) {
		t.Error("the refresh token is in the body")
	}
	if got.Account.Username != "alice" || s.ask("GET", "/api/v1/me", got.AccessToken, "").Code != 200 {
		t.Errorf("signed in as %+v", got.Account)
	}
	if s.ask("GET", "/api/v1/me", cookie.Value, "").Code != 401 {
		t.Error("the cookie works as an access token")
	}
}

func TestTheCookieIsOnlyForTLSWhereThereIsTLS(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"))
	r := httptest.NewRequestWithContext(t.Context(), "POST", "https://base.test/api/v1/session", strings.NewReader(aliceSignsIn))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(browserHeader, "1")
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if _, cookie := signedInBy(t, w); !cookie.Secure {
		t.Errorf("cookie %v", cookie)
	}
}

func TestManyTabsRefreshWithOneCookie(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"))
	_, first := signedInBy(t, s.askBrowser("POST", "/api/v1/session", "", aliceSignsIn))
	for range 3 { // each tab still has the cookie of the beginning
		got, _ := signedInBy(t, s.askBrowser("POST", "/api/v1/session/refresh", first.Value, ""))
		if s.ask("GET", "/api/v1/me", got.AccessToken, "").Code != 200 {
			t.Error("the refreshed token does not work")
		}
	}
}

func TestSigningOutEndsTheSessionOnTheServer(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"))
	got, cookie := signedInBy(t, s.askBrowser("POST", "/api/v1/session", "", aliceSignsIn))
	w := s.askBrowser("DELETE", "/api/v1/session", cookie.Value, "")
	if left := w.Result().Cookies(); w.Code != 204 || len(left) != 1 || left[0].MaxAge >= 0 || left[0].Path != cookie.Path {
		t.Errorf("%d, cookies %v", w.Code, left)
	}
	if code := s.ask("GET", "/api/v1/me", got.AccessToken, "").Code; code != 401 {
		t.Errorf("the access token answers %d", code)
	}
	if code := s.askBrowser("POST", "/api/v1/session/refresh", cookie.Value, "").Code; code != 401 {
		t.Errorf("the cookie answers %d", code)
	}
	if code := s.askBrowser("DELETE", "/api/v1/session", cookie.Value, "").Code; code != 204 {
		t.Errorf("signing out twice answers %d", code)
	}
}

// TestForeignPages: a page of another origin gets nothing done here, whatever cookies its browser has.
func TestForeignPages(t *testing.T) {
	s := newStack(t)
	s.seed(user(7, "alice"))
	_, cookie := signedInBy(t, s.askBrowser("POST", "/api/v1/session", "", aliceSignsIn))
	tried := 0
	for path, item := range s.h.OpenAPI().Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete} {
			if op == nil || s.h.need[op.OperationID] != Anybody {
				continue
			}
			tried++
			for _, header := range [][]string{
				{browserHeader, "", "Sec-Fetch-Site", ""},
				{browserHeader, ""},
				{"Sec-Fetch-Site", "cross-site"},
				{"Sec-Fetch-Site", "same-site"},
			} {
				w := s.askBrowser(method, path, cookie.Value, aliceSignsIn, header...)
				if w.Code != 403 || !strings.Contains(w.Body.String(), codeForeignPage) || len(w.Result().Cookies()) != 0 {
					t.Errorf("%s %s with %v: %d %s", method, path, header, w.Code, w.Body)
				}
			}
		}
	}
	if tried < 5 {
		t.Errorf("%d operations tried", tried)
	}
}

func TestSetUpSignsInTheFirstAdmin(t *testing.T) {
	s := newStack(t)
	token, _, err := s.auth.BeginSetup(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	needed := func() string { return s.askBrowser("GET", "/api/v1/session/setup", "", "").Body.String() }
	if got := needed(); !strings.Contains(got, `"needed":true`) {
		t.Errorf("before: %s", got)
	}
	body := func(token, password string) string {
		return `{"token":"` + token + `","username":"boss","password":"` + password + `"}`
	}
	if w := s.askBrowser("POST", "/api/v1/session/setup", "", body("wrong", "Boss-pass-1")); w.Code != 403 || !strings.Contains(w.Body.String(), "setup_token") {
		t.Errorf("a wrong token: %d %s", w.Code, w.Body)
	}
	if w := s.askBrowser("POST", "/api/v1/session/setup", "", body(token, "x")); w.Code != 422 || !strings.Contains(w.Body.String(), `"field":"password"`) {
		t.Errorf("a bad password: %d %s", w.Code, w.Body)
	}
	got, cookie := signedInBy(t, s.askBrowser("POST", "/api/v1/session/setup", "", body(token, "Boss-pass-1")))
	if got.Account.Role != "admin" || cookie.Value == "" {
		t.Errorf("made %+v", got.Account)
	}
	if got := needed(); !strings.Contains(got, `"needed":false`) {
		t.Errorf("after: %s", got)
	}
	if code := s.askBrowser("POST", "/api/v1/session/setup", "", body(token, "Boss-pass-2")).Code; code != 403 {
		t.Errorf("the link works twice: %d", code)
	}
}
