package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/offchat/presence/internal/metrics"
)

// version and commit are set by release builds (-ldflags "-X main.version=…"); others know what the module
// system and the version control told the compiler.
var version, commit string

type versionCmd struct {
	JSON bool `name:"json" help:"Print JSON."`
}

// Run prints the version.
func (c *versionCmd) Run(p *process) error {
	b := build()
	if c.JSON {
		return printJSON(p, struct {
			Version  string `json:"version"`
			Commit   string `json:"commit"`
			Go       string `json:"go"`
			Platform string `json:"platform"`
		}{b.Version, b.Commit, b.Go, runtime.GOOS + "/" + runtime.GOARCH})
	}
	_, err := fmt.Fprintf(p.stdout, "presence %s (commit %s, %s, %s/%s)\n", b.Version, b.Commit, b.Go, runtime.GOOS, runtime.GOARCH)
	return err
}

func build() metrics.Build {
	b := metrics.Build{Version: version, Commit: commit, Go: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if b.Version == "" {
		b.Version = info.Main.Version
	}
	modified := false
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && b.Commit == "":
			b.Commit = s.Value
		case s.Key == "vcs.modified":
			modified = s.Value == "true"
		}
	}
	switch {
	case b.Commit == "":
		b.Commit = "unknown"
	case modified && commit == "":
		b.Commit += "-modified"
	}
	if b.Version == "" {
		b.Version = "(devel)"
	}
	return b
}
