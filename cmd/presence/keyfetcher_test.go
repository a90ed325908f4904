package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/offchat/presence/internal/auth"
)

// Where an issuer's keys come from is the operator's word: no redirect leads elsewhere, and what never ends is cut off.
func TestKeysAreFetchedFromTheOneAddressAndNoMoreThanAllowed(t *testing.T) {
	reached := false
	inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached = true
		_, _ = w.Write([]byte(`{"keys":[]}`))
	}))
	defer inner.Close()
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, inner.URL, http.StatusFound)
		case "/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		case "/head":
			w.Header().Set("X-Long", strings.Repeat("x", 1<<17))
		case "/gone":
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer source.Close()
	fetch := newKeyFetcher()
	for _, path := range []string{"/redirect", "/endless", "/head", "/gone"} {
		if text, err := fetch(t.Context(), source.URL+path); err == nil || len(text) > auth.MaxJWKS+1 {
			t.Errorf("%s: %d bytes, %v", path, len(text), err)
		}
	}
	if reached {
		t.Error("a redirect was followed")
	}
}
