package main

import (
	"context"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/canary"
)

// canaries lets the canaries fly once the server is ready, if the settings ask for them.
func (a *app) canaries(public net.Addr) door {
	return func(ctx context.Context) error {
		for !a.ready.Started() {
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(100 * time.Millisecond):
			}
		}
		transport := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
		defer transport.CloseIdleConnections()
		return canary.New(canary.Config{
			Door:    canary.HTTP{URL: "http://" + reachable(public.String()), Client: &http.Client{Transport: transport, Timeout: 10 * time.Second}},
			Prepare: a.prepareCanary, Timing: a.timing, Name: canaryName(nodeName(a.cfg)), Metrics: a.metrics.Canary(), Log: a.log,
		}).Run(ctx)
	}
}

func (a *app) timing() canary.Timing {
	now := timeoutsOf(a.cfg)
	if set := a.timeouts.Load(); set != nil {
		now = *set
	}
	return canary.Timing{HeartbeatInterval: now.HeartbeatInterval, OfflineAfter: now.OfflineAfter}
}

// prepareCanary makes the account, or gives it another password, which ends what sessions an earlier run left.
func (a *app) prepareCanary(ctx context.Context, name, password string) error {
	from := presence.Origin{UserAgent: "presence canary"}
	account, err := a.store.AccountByName(ctx, name)
	switch {
	case err == nil:
		_, err = a.auth.SetPassword(ctx, auth.System, account.ID, password, from)
	case presence.KindOf(err) == presence.NotFound:
		_, err = a.auth.Create(ctx, auth.System, auth.NewAccount{
			Username: name, Email: name + "@canary.invalid", Password: password, FirstName: "Canary",
			Role: presence.RoleUser, Status: presence.AccountActive,
		}, from)
	}
	return err
}

// canaryName is how a node's canaries are called, as far as usernames allow.
func canaryName(node string) string {
	clean := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '-'
	}, node)
	return "canary-" + clean[:min(len(clean), 60)]
}
