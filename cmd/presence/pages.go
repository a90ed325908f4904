package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/assets"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/dashboard"
	"github.com/offchat/presence/internal/httpd"
)

//go:embed pages
var pageFiles embed.FS

var (
	pageTemplates = template.Must(template.ParseFS(pageFiles, "pages/*.html"))
	pageStyle     = mustRead("pages/style.css")

	// pagePolicy lets a page have its one style and send its form here, and nothing else: no script at all.
	pagePolicy = "default-src 'none'; style-src '" + sha256Source(pageStyle) + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func mustRead(name string) string {
	text, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // embedded
	}
	return string(text)
}

func sha256Source(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// registerSite registers everything that browsers are shown: the dashboard, or a few pages where there is none.
func registerSite(mux *http.ServeMux, p *pages) error {
	if !assets.Built() {
		p.register(mux)
		return nil
	}
	site, err := dashboard.NewSite(assets.Dashboard())
	mux.Handle("/", site)
	return err
}

// pages are the few pages of a server without a dashboard: what it is, and the form that makes the first admin.
type pages struct {
	auth   *auth.Service
	store  presence.AccountReader
	origin func(*http.Request) presence.Origin
	log    *slog.Logger
}

// setupView is what the set-up page shows. What was typed comes back with a problem, except for the password.
type setupView struct {
	Style                  template.CSS
	Token, Username, Email string
	Problem, Done          string
}

func (p *pages) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /{$}", p.home)
	mux.HandleFunc("GET /setup", p.setupForm)
	mux.HandleFunc("POST /setup", p.setUp)
	mux.HandleFunc("/", dashboard.Missing)
}

func (p *pages) home(w http.ResponseWriter, r *http.Request) {
	base := httpd.BaseURL(r)
	p.show(w, http.StatusOK, "home.html", struct {
		Style        template.CSS
		Base, Socket string
	}{template.CSS(pageStyle), base, "ws" + strings.TrimPrefix(base, "http")})
}

// setupForm shows the form. Whether the token is good is found out when the form is sent: a wrong one must
// not be cheaper to try here.
func (p *pages) setupForm(w http.ResponseWriter, r *http.Request) {
	view, status := setupView{Token: r.URL.Query().Get("token")}, http.StatusOK
	if has, err := p.store.HasAdmin(r.Context()); err != nil || has {
		view, status = p.refusal(r.Context(), view, err)
	}
	p.showSetup(w, status, view)
}

// setUp makes the first admin. The token in the body is what lets it: no other site knows it.
func (p *pages) setUp(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		p.showSetup(w, http.StatusUnsupportedMediaType, setupView{Problem: "This address takes the form and nothing else."})
		return
	}
	if err := r.ParseForm(); err != nil {
		status := http.StatusBadRequest
		if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
			status = http.StatusRequestEntityTooLarge
		}
		p.showSetup(w, status, setupView{Problem: "The form could not be read."})
		return
	}
	form := r.PostForm
	view := setupView{Token: form.Get("token"), Username: form.Get("username"), Email: form.Get("email")}
	made, tokens, err := p.auth.CompleteSetup(r.Context(), view.Token, auth.NewAccount{
		Username: view.Username, Email: view.Email, Password: form.Get("password"),
	}, p.origin(r))
	if err != nil {
		view, status := p.refusal(r.Context(), view, err)
		p.showSetup(w, status, view)
		return
	}
	p.log.LogAttrs(r.Context(), slog.LevelInfo, "the first admin was made", slog.Int64("user", int64(made.ID)))
	p.leave(r, tokens)
	p.showSetup(w, http.StatusOK, setupView{Done: made.Username})
}

// leave ends the session that set-up opened: this page keeps no tokens, and a session that nobody uses would
// show the admin online.
func (p *pages) leave(r *http.Request, tokens auth.Tokens) {
	id, err := p.auth.Authenticate(r.Context(), tokens.Access, now())
	if err == nil {
		err = p.auth.Logout(r.Context(), id, tokens.Refresh, p.origin(r))
	}
	if err != nil {
		p.log.LogAttrs(r.Context(), slog.LevelWarn, "the session of the set-up stays open until it ends by itself", slog.Any("err", err))
	}
}

// refusal says on the page what is wrong. A nil error means that there is an admin already.
func (p *pages) refusal(ctx context.Context, view setupView, err error) (setupView, int) {
	known := (*presence.Error)(nil)
	switch {
	case err == nil, errors.As(err, &known) && known.Code == auth.CodeSetupDone:
		return setupView{Problem: "There is an admin already; this page has done its work."}, http.StatusGone
	case known != nil && known.Code == auth.CodeSetupToken:
		return setupView{Problem: "This link is not valid (any more). The server prints a new one when it starts."}, http.StatusForbidden
	case known != nil && known.Kind == presence.Unavailable:
		view.Problem = "The server is busy. Please try again in a moment."
		return view, http.StatusServiceUnavailable
	case known != nil && known.Tell != "" && (known.Kind == presence.Invalid || known.Kind == presence.Conflict):
		view.Problem = known.Tell
		return view, http.StatusBadRequest
	default:
		p.log.LogAttrs(ctx, slog.LevelError, "set-up failed", slog.Any("err", err))
		view.Problem = "That did not work; the server's log says why."
		return view, http.StatusInternalServerError
	}
}

func (p *pages) showSetup(w http.ResponseWriter, status int, view setupView) {
	view.Style = template.CSS(pageStyle)
	// The address holds the token: it goes into no Referer and no cache.
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Cache-Control", "no-store")
	p.show(w, status, "setup.html", view)
}

func (p *pages) show(w http.ResponseWriter, status int, name string, data any) {
	var page bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&page, name, data); err != nil {
		panic(err) // our own template, found by its tests
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", pagePolicy)
	w.WriteHeader(status)
	_, _ = w.Write(page.Bytes()) // who is gone needs no answer
}
