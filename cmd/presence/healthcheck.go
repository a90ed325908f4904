package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"time"

	"github.com/offchat/presence/internal/config"
)

// errNoAnswer: nobody answers at the address.
var errNoAnswer = errors.New("no answer")

// healthTimeout is shorter than the usual timeout of those who run health checks.
const healthTimeout = 3 * time.Second

type healthcheckCmd struct {
	File   string  `name:"config" placeholder:"FILE" help:"TOML file with settings; also PRESENCE_CONFIG."`
	Listen *string `name:"listen" placeholder:"127.0.0.1:8000" help:"Address the server listens at, if the configuration does not say."`
	Ready  bool    `name:"ready" help:"Ask whether it should be sent requests (/readyz), not only whether it lives (/healthz)."`
	JSON   bool    `name:"json" help:"Print JSON."`
}

// Help is shown by --help.
func (healthcheckCmd) Help() string {
	return `For containers and service managers that want a command: it asks the configured address, so it needs neither curl nor an argument. It exits with 0 when the server is well, 1 when it says that it is not, and 3 when it does not answer.

Examples:

    presence healthcheck
    presence healthcheck --ready --json`
}

// Run asks the server.
func (c *healthcheckCmd) Run(p *process) error {
	flags := map[string]string{}
	if c.Listen != nil {
		flags["listen"] = *c.Listen
	}
	cfg, err := config.Load(config.Input{Flags: flags, Environ: p.environ, File: c.File})
	if err != nil {
		return err
	}
	path := "/healthz"
	if c.Ready {
		path = "/readyz"
	}
	url := "http://" + reachable(cfg.Listen) + path
	status, body, err := ask(p.ctx, url)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", url, errNoAnswer, err)
	}
	if c.JSON {
		err = printJSON(p, struct {
			URL    string          `json:"url"`
			OK     bool            `json:"ok"`
			Status int             `json:"status"`
			Answer json.RawMessage `json:"answer"`
		}{url, status == http.StatusOK, status, body})
	} else {
		_, err = fmt.Fprintf(p.stdout, "%s\n", body)
	}
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s answered %d", url, status)
	}
	return err
}

// ask returns the answer, which has to be JSON: something else is not our server.
func ask(ctx context.Context, url string) (status int, body json.RawMessage, err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	// No proxy: the question is about this machine.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, errors.Unwrap(err) // the address is told already
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return 0, nil, err
	}
	if !json.Valid(text) {
		return 0, nil, errors.New("something else than Presence answers there")
	}
	return resp.StatusCode, text, nil
}

// reachable turns an address to listen at into one to connect to: "every interface" is not a destination.
func reachable(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.IsUnspecified() {
		if host = "127.0.0.1"; addr.Is6() {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
