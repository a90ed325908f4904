package main

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/offchat/presence/internal/doctor"
)

func examine(t *testing.T, args ...string) (code int, lines map[string][]doctor.Line) {
	t.Helper()
	code, out, errs := command(t, append([]string{"doctor", "--json"}, args...)...)
	var list []doctor.Line
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("doctor %v: %d %v %s%s", args, code, err, out, errs)
	}
	lines = map[string][]doctor.Line{}
	for _, line := range list {
		lines[line.Name] = append(lines[line.Name], line)
	}
	return code, lines
}

// has reports whether one of the lines is of a level and says something.
func has(lines []doctor.Line, level doctor.Level, says string) bool {
	for _, line := range lines {
		if line.Level == level && strings.Contains(line.Text+" "+line.Fix, says) {
			return true
		}
	}
	return false
}

func TestTheDoctorFindsWhatIsWrong(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := startServer(t, "--data", data)
	address := r.at.public.String()
	_, lines := examine(t, "--data", data, "--listen", address)
	for _, name := range []string{"config", "permissions", "port", "database", "timeouts", "audit"} {
		if len(lines[name]) == 0 || !has(lines[name], doctor.OK, "") {
			t.Errorf("of a server that is well, %s: %+v", name, lines[name])
		}
	}
	if !has(lines["backup"], doctor.Warn, "presence backup create") {
		t.Errorf("without a backup: %+v", lines["backup"])
	}
	if _, lines := examine(t, "--data", data, "--listen", "127.0.0.1:1"); !has(lines["port"], doctor.Fail, "does not answer") {
		t.Errorf("at another address: %+v", lines["port"])
	}
	r.end()

	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if code, lines := examine(t, "--data", data, "--listen", other.Addr().String()); code != 2 || !has(lines["port"], doctor.Fail, "could not listen") {
		t.Errorf("a port that is taken: %d %+v", code, lines["port"])
	}
	if err := os.Chmod(dataDir(data).key(), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, lines := examine(t, "--data", data); code != 2 || !has(lines["permissions"], doctor.Fail, "chmod 600") {
		t.Errorf("a key that others read: %d %+v", code, lines["permissions"])
	}
	if code, lines := examine(t, "--offline-after", "soon"); code != 2 || !has(lines["config"], doctor.Fail, "offline_after") {
		t.Errorf("a wrong setting: %d %+v", code, lines["config"])
	}
	if code, lines := examine(t, "--data", data, "--database", "postgres://u:hush-hush@127.0.0.1:1/x"); code != 2 ||
		!has(lines["database"], doctor.Fail, "cannot be reached") || has(lines["database"], doctor.Fail, "hush-hush") {
		t.Errorf("a database that is not there: %d %+v", code, lines["database"])
	}
	if code, lines := examine(t, "--data", data, "--database", "postgres://u@127.0.0.1:1/x", "--engine", "redis://:hush-hush@127.0.0.1:1"); code != 2 ||
		!has(lines["engine"], doctor.Fail, "cannot be reached") || has(lines["engine"], doctor.Fail, "hush-hush") {
		t.Errorf("an engine that is not there: %d %+v", code, lines["engine"])
	}
	alter(t, data, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
	if code, lines := examine(t, "--data", data); code != 2 || !has(lines["database"], doctor.Fail, "newer version") {
		t.Errorf("a database of the future: %d %+v", code, lines["database"])
	}
	if code, out, _ := command(t, "doctor", "--data", data); code != 2 || !strings.Contains(out, "FAIL  database") || !strings.Contains(out, "  -> ") {
		t.Errorf("for people: %d\n%s", code, out)
	}
}

func TestTheDoctorFindsABrokenAudit(t *testing.T) {
	data := withAda(t)
	alter(t, data, `UPDATE audit SET action = 'praise' WHERE id = 1`)
	r := startServer(t, "--data", data)
	if code, lines := examine(t, "--data", data, "--listen", r.at.public.String()); code != 2 || !has(lines["audit"], doctor.Fail, "line 1") {
		t.Errorf("%d %+v", code, lines["audit"])
	}
}

func TestTheDoctorLooksThroughTheProxy(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	r := startServer(t, "--data", data, "--trusted-proxies", "127.0.0.1")
	target := &url.URL{Scheme: "http", Host: r.at.public.String()}
	proxy := func(change func(out *http.Request, in *http.Request)) string {
		s := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Host = p.In.Host
			p.SetXForwarded()
			change(p.Out, p.In)
		}})
		t.Cleanup(s.Close)
		return s.URL
	}
	look := func(address string) []doctor.Line {
		_, lines := examine(t, "--data", data, "--listen", r.at.public.String(), "--url", address)
		return lines["proxy"]
	}
	if lines := look("http://" + r.at.public.String()); !has(lines, doctor.OK, "passes Upgrade") {
		t.Errorf("without a proxy: %+v", lines)
	}
	good := proxy(func(*http.Request, *http.Request) {})
	if lines := look(good); !has(lines, doctor.OK, "passes Upgrade") {
		t.Errorf("a good proxy: %+v", lines)
	}
	if lines := look(proxy(func(out, _ *http.Request) { out.Header.Del("Upgrade"); out.Header.Del("Connection") })); !has(lines, doctor.Fail, "WebSockets cannot open") {
		t.Errorf("no upgrade: %+v", lines)
	}
	if lines := look(proxy(func(out, _ *http.Request) { out.Host = "inside"; out.Header.Del("X-Forwarded-Host") })); !has(lines, doctor.Warn, "Host $host") {
		t.Errorf("another host: %+v", lines)
	}
	if lines := look(proxy(func(out, _ *http.Request) { out.Header.Set("X-Forwarded-Proto", "https") })); !has(lines, doctor.Warn, "X-Forwarded-Proto") {
		t.Errorf("another scheme: %+v", lines)
	}
	strange := httptest.NewServer(http.NotFoundHandler())
	defer strange.Close()
	if lines := look(strange.URL); !has(lines, doctor.Fail, "something else answers") {
		t.Errorf("another server: %+v", lines)
	}
	if lines := look("http://127.0.0.1:1"); !has(lines, doctor.Fail, "cannot be reached") {
		t.Errorf("nobody: %+v", lines)
	}
	if lines := look("presence.example.org"); !has(lines, doctor.Fail, "write it as") {
		t.Errorf("no address: %+v", lines)
	}
	tls := httptest.NewTLSServer(http.NotFoundHandler())
	defer tls.Close()
	_, lines := examine(t, "--data", data, "--listen", r.at.public.String(), "--url", tls.URL)
	if !has(lines["TLS"], doctor.Fail, "browsers will refuse") {
		t.Errorf("a certificate of nobody: %+v", lines)
	}
	if status, _ := r.call("GET", probePath+"ABCDEFGHIJKLMNOPQRSTUVWXYZ", "", ""); status != 404 {
		t.Errorf("a mark that was never issued: %d", status)
	}
}

func TestASupportBundleHoldsNoSecret(t *testing.T) {
	dir := t.TempDir()
	data, key := filepath.Join(dir, "data"), "k3y-9fQz7LmXv2WbT8RcJp4HsNd6YgKe1AuVo5Zi"
	keyFile, log := filepath.Join(dir, "key"), filepath.Join(dir, "log")
	const jwt = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoxfQ.c2lnbmF0dXJlc2lnbmF0dXJl"
	for path, text := range map[string]string{
		keyFile: key,
		log: `{"msg":"x","path":"/ws/presence/?token=` + jwt + `"}` + "\nAuthorization: Bearer " + jwt + "\npassword=hush-hush\n" +
			"postgres://me:hush-hush@db/x\n" + key + "\nthe last line\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := startServer(t, "--data", data, "--signing-key-file", keyFile)
	r.call("POST", "/api/auth/register/", "", `{"username":"ada","password":"Sekrit-pass-1"}`)
	generated := filepath.Join(t.TempDir(), "other")
	startServer(t, "--data", generated).end()
	own, err := os.ReadFile(dataDir(generated).key())
	if err != nil {
		t.Fatal(err)
	}

	out := filepath.Join(dir, "bundle.tar.gz")
	args := []string{"support", "bundle", "--out", out, "--log", log, "--data", data, "--signing-key-file", keyFile}
	if code, _, errs := command(t, args...); code != exitUsage || !strings.Contains(errs, "goroutines.txt") || !strings.Contains(errs, "--yes") {
		t.Errorf("without --yes: %d %s", code, errs)
	}
	if _, err := os.Stat(out); err == nil {
		t.Fatal("it was written without being asked for")
	}
	if code, _, errs := command(t, append(args, "--yes")...); code != exitOK {
		t.Fatalf("%d %s", code, errs)
	}
	if info, _ := os.Stat(out); info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	parts := unpack(t, out)
	for name, want := range map[string]string{
		"config.json": `"signing_key"`, "doctor.json": `"level"`, "metrics.txt": "presence_users", "goroutines.txt": "goroutine profile",
		"version.json": `"commit"`, "files.json": "presence.db", "log.txt": "the last line",
	} {
		if !strings.Contains(parts["presence-support/"+name], want) {
			t.Errorf("%s lacks %q: %.300s", name, want, parts["presence-support/"+name])
		}
	}
	for name, text := range parts {
		for _, secret := range []string{key, strings.TrimSpace(string(own)), jwt, "c2lnbmF0dXJl", "hush-hush", "Sekrit-pass-1", "argon2"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds the secret %s", name, secret)
			}
		}
	}
}

func unpack(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	packed, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	parts := map[string]string{}
	for archive := tar.NewReader(packed); ; {
		header, err := archive.Next()
		if err == io.EOF {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		parts[header.Name] = string(text)
	}
}
