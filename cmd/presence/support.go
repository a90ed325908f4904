package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"

	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
)

type supportCmd struct {
	Bundle supportBundleCmd `cmd:"" help:"Put what somebody needs who helps you into one file, without secrets."`
}

type supportBundleCmd struct {
	settingFlags
	Out string `name:"out" default:"presence-support.tar.gz" placeholder:"FILE" help:"Where to write it."`
	Log string `name:"log" placeholder:"FILE" help:"File with the server's log, of which the end is taken: journalctl -u presence -n 2000 > FILE."`
	Yes bool   `name:"yes" help:"Write it without asking."`
}

// Help is shown by --help.
func (supportBundleCmd) Help() string {
	return `Version, settings with secrets masked, what doctor finds, the names and sizes of the files in the data directory, and of a running server the metrics and what its goroutines do. No names of people, no tokens, no keys, no database. What goes in is shown before anything is written.

Examples:

    presence support bundle
    presence support bundle --out /tmp/b.tar.gz --log presence.log --yes`
}

// part is one file of a bundle.
type part struct {
	name, what string
	text       []byte
}

// Run writes the bundle.
func (c *supportBundleCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	parts, err := c.collect(p, cfg)
	if err != nil {
		return err
	}
	hide := hider(cfg)
	fmt.Fprintf(p.stderr, "%s will hold:\n\n", c.Out)
	for i := range parts {
		parts[i].text = hide(parts[i].text)
		fmt.Fprintf(p.stderr, "  %-16s %8d bytes  %s\n", parts[i].name, len(parts[i].text), parts[i].what)
	}
	fmt.Fprintln(p.stderr)
	if !c.Yes {
		if !isTerminal(p.stdin) {
			return usageError{"nothing was written; add --yes to write it"}
		}
		fmt.Fprint(p.stderr, "Write it? [y/N] ")
		answer, err := bufio.NewReader(p.stdin).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if word := strings.ToLower(strings.TrimSpace(answer)); word != "y" && word != "yes" {
			return errors.New("nothing was written")
		}
	}
	if err := writeBundle(c.Out, parts); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", c.Out)
	return err
}

func (c *supportBundleCmd) collect(p *process, cfg *config.Config) (parts []part, err error) {
	add := func(name, what string, value any) {
		text, jsonErr := json.MarshalIndent(value, "", "  ")
		err = errors.Join(err, jsonErr)
		parts = append(parts, part{name, what, append(text, '\n')})
	}
	version := build()
	add("version.json", "version, commit, system", map[string]any{
		"version": version.Version, "commit": version.Commit, "go": version.Go, "os": runtime.GOOS, "arch": runtime.GOARCH, "cpus": runtime.NumCPU(),
	})
	add("config.json", "every setting and where it comes from; secrets are masked", inForce(p.ctx, cfg))
	look := doctorCmd{settingFlags: c.settingFlags, Sockets: 1000}
	add("doctor.json", "what doctor finds", look.examine(p))
	add("files.json", "names, sizes and modes of the files in the data directory", listFiles(cfg.Data))
	ctx, cancel := context.WithTimeout(p.ctx, checkTime)
	defer cancel()
	server := control.Dial(dataDir(cfg.Data).dialControl)
	if server.Ping(ctx) == nil {
		for _, one := range []struct {
			name, what string
			ask        func(context.Context) ([]byte, error)
		}{
			{"metrics.txt", "the running server's metrics", server.Metrics},
			{"goroutines.txt", "what the running server's goroutines do", server.Goroutines},
		} {
			text, askErr := one.ask(ctx)
			if askErr != nil {
				text = []byte(askErr.Error() + "\n")
			}
			parts = append(parts, part{one.name, one.what, text})
		}
	}
	if c.Log != "" {
		text, logErr := tail(c.Log, 1<<20)
		if logErr != nil {
			return nil, logErr
		}
		parts = append(parts, part{"log.txt", "the end of " + c.Log + ": look through it, it may name people", text})
	}
	return parts, err
}

type listedFile struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
	Mode  string `json:"mode"`
}

func listFiles(dir string) []listedFile {
	list := []listedFile{}
	_ = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || len(list) >= 1000 {
			return nil // as far as it can be read
		}
		if info, err := entry.Info(); err == nil {
			name, _ := filepath.Rel(dir, path)
			list = append(list, listedFile{name, info.Size(), info.Mode().String()})
		}
		return nil
	})
	return list
}

// tail reads the end of a file, from the beginning of a line.
func tail(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	from := max(0, info.Size()-limit)
	text, err := io.ReadAll(io.NewSectionReader(file, from, limit))
	if i := bytes.IndexByte(text, '\n'); from > 0 && i >= 0 {
		text = text[i+1:]
	}
	return text, err
}

// What looks like a secret, wherever it stands: tokens, passwords in addresses, keys named as such.
var secretForms = []*regexp.Regexp{
	regexp.MustCompile(`eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*`),
	regexp.MustCompile(`(?i)([?&](?:token|ticket|access|refresh)=)[^&\s"]+`),
	regexp.MustCompile(`(?i)(bearer\s+)[A-Za-z0-9._~+/=-]+`),
	regexp.MustCompile(`(://[^:/@\s]*:)[^@/\s]+@`),
	regexp.MustCompile(`(?i)("?(?:password|secret|signing_key|authorization)"?\s*[:=]\s*"?)[^\s",}*][^\s",}]*`),
	// The token of a backend (not its hint, which is shorter), the secret of a webhook, a ticket, a pass.
	regexp.MustCompile(`\b(?:opt_[0-9A-Za-z]{20,}|whsec_[0-9A-Za-z+/]{20,}=*|(?:sealed|pass)\.[0-9A-Za-z_-]{20,})`),
}

const hidden = "********"

// hider takes secrets out of a text: those that are configured, the key in the data directory, and whatever looks
// like one.
func hider(cfg *config.Config) func([]byte) []byte {
	var known []string
	for _, secret := range append([]config.Secret{cfg.SigningKey, cfg.Database, cfg.Engine}, cfg.SigningKeysOld...) {
		known = append(known, string(secret))
		if u, err := url.Parse(string(secret)); err == nil && u.User != nil {
			password, _ := u.User.Password()
			known = append(known, password)
		}
	}
	for i := range cfg.Issuers {
		known = append(known, string(cfg.Issuers[i].Secret))
	}
	if key, err := os.ReadFile(dataDir(cfg.Data).key()); err == nil {
		known = append(known, strings.TrimSpace(string(key)))
	}
	return func(text []byte) []byte {
		for _, secret := range known {
			if len(secret) >= 4 {
				text = bytes.ReplaceAll(text, []byte(secret), []byte(hidden))
			}
		}
		for i, form := range secretForms {
			with := "${1}" + hidden
			switch i {
			case 0:
				with = hidden
			case 3:
				with += "@"
			}
			text = form.ReplaceAll(text, []byte(with))
		}
		return text
	}
}

func writeBundle(path string, parts []part) (err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("write the bundle: %w", err)
	}
	packed := gzip.NewWriter(file)
	archive := tar.NewWriter(packed)
	for _, one := range parts {
		header := tar.Header{Name: "presence-support/" + one.name, Mode: 0o600, Size: int64(len(one.text)), ModTime: now()}
		if err = archive.WriteHeader(&header); err == nil {
			_, err = archive.Write(one.text)
		}
		if err != nil {
			break
		}
	}
	return errors.Join(err, archive.Close(), packed.Close(), file.Close())
}
