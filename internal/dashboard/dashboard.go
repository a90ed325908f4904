// Package dashboard serves the dashboard's files to browsers, as `make assets` built them, and keeps what a signed-in
// browser may keep: its refresh token, in a cookie that no script can read.
package dashboard

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
)

// policy lets the page load its own files, talk to its own server and draw pictures of its own making. Nothing inline,
// nothing from anywhere else, no frame around it.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; " +
	"connect-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

const (
	index = "index.html"
	// Names below assets/ hold a hash of the content: what such a name once was, it stays.
	hashed    = "assets/"
	immutable = "public, max-age=31536000, immutable"
)

// Site serves the built files. It is safe for concurrent use.
type Site struct {
	files map[string]*file
}

// file is one file as it goes over the wire. Static after construction.
type file struct {
	plain, gzip []byte // gzip is nil where it does not pay
	kind, etag  string
}

// NewSite reads and compresses all files, once. index.html is among them.
func NewSite(from fs.FS) (*Site, error) {
	s := &Site{files: map[string]*file{}}
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.Contains("/"+name, "/.") {
			return err
		}
		content, err := fs.ReadFile(from, name)
		if err == nil {
			s.files[name], err = prepare(name, content)
		}
		return err
	})
	if err == nil && s.files[index] == nil {
		err = fmt.Errorf("the dashboard has no %s", index)
	}
	return s, err
}

func prepare(name string, content []byte) (*file, error) {
	sum := sha256.Sum256(content)
	f := &file{plain: content, kind: mime.TypeByExtension(path.Ext(name)), etag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	switch path.Ext(name) {
	case ".js", ".css", ".html", ".svg", ".json":
	default:
		return f, nil // pictures and fonts are compressed already
	}
	var packed bytes.Buffer
	w, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(content); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	if packed.Len() < len(content) {
		f.gzip = packed.Bytes()
	}
	return f, nil
}

// ServeHTTP answers with a file, or with the page for the addresses that the page knows. Everything else is missing, with
// 404: a script that turned out to be a page would be an error without a cause, and a proxy that asks at an address which
// is almost that of the API would take a page for a yes. Where a browser wants something to show, the page says so itself.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, status := strings.TrimPrefix(r.URL.Path, "/"), http.StatusOK
	f := s.files[name]
	if f == nil {
		name, f = index, s.files[index]
		if !isPage(r.URL) {
			status = http.StatusNotFound
		}
	}
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !reads || status != http.StatusOK && !(looksLikePage(r.URL) && wantsPage(r.Header)) {
		Missing(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache")
	if strings.HasPrefix(name, hashed) {
		h.Set("Cache-Control", immutable)
	}
	if name == index {
		h.Set("Content-Security-Policy", policy)
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	body := f.plain
	if f.gzip != nil {
		h.Set("Vary", "Accept-Encoding")
		if acceptsGzip(r.Header.Get("Accept-Encoding")) {
			h.Set("Content-Encoding", "gzip")
			// The bytes differ, so the tag must.
			h.Set("ETag", strings.TrimSuffix(f.etag, `"`)+`-gzip"`)
			body = f.gzip
		}
	}
	if status != http.StatusOK {
		h.Del("ETag")
		h.Set("Cache-Control", "no-store")
	} else if strings.Contains(r.Header.Get("If-None-Match"), h.Get("ETag")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Length", fmt.Sprint(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodGet {
		_, _ = w.Write(body) // who is gone needs no answer
	}
}

func acceptsGzip(accepted string) bool {
	for one := range strings.SplitSeq(accepted, ",") {
		coding, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
		if strings.EqualFold(strings.TrimSpace(coding), "gzip") {
			q := strings.ReplaceAll(weight, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}
