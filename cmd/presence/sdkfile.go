package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"
	"time"
)

// sdkFile is the client's script for any page (sdk/src/script.ts), as it is and compressed once for all.
type sdkFile struct {
	plain, zipped []byte
	tag           string // of the plain form; the other one is a byte longer
}

// newSDKFile reads the script. nil files: this binary has none, and says so.
func newSDKFile(files fs.FS) (*sdkFile, error) {
	if files == nil {
		return &sdkFile{}, nil
	}
	plain, err := fs.ReadFile(files, "presence.js")
	if err != nil {
		return nil, err
	}
	var zipped bytes.Buffer
	w, err := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(plain)
	return &sdkFile{plain: plain, zipped: zipped.Bytes(), tag: hex.EncodeToString(sum[:12])}, nil
}

func (f *sdkFile) register(mux *http.ServeMux) { mux.Handle("GET /sdk/presence.js", f) }

// ServeHTTP gives the script to any page of any origin: it is public and holds no secret, so this one file may be
// read from everywhere. A page asks again after five minutes and is mostly told that nothing changed.
func (f *sdkFile) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Del("Access-Control-Allow-Credentials")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if f.plain == nil {
		http.Error(w, "This server was built without the script for browsers. Build one that has it with `make build`, which needs Node.",
			http.StatusNotFound)
		return
	}
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Add("Vary", "Accept-Encoding")
	body, tag := f.plain, f.tag
	if acceptsGzip(r) {
		body, tag = f.zipped, f.tag+"z"
		h.Set("Content-Encoding", "gzip")
	}
	h.Set("ETag", `"`+tag+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

// acceptsGzip reads as much of Accept-Encoding as decides: gzip is named and not refused.
func acceptsGzip(r *http.Request) bool {
	for _, line := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(line, ",") {
			name, quality, _ := strings.Cut(strings.ReplaceAll(one, " ", ""), ";")
			if strings.EqualFold(name, "gzip") {
				return strings.Trim(strings.TrimPrefix(quality, "q="), "0.") != "" || quality == ""
			}
		}
	}
	return false
}
