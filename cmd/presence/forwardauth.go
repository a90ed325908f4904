package main

import (
	"github.com/offchat/presence/internal/api"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/forwardauth"
	"github.com/offchat/presence/internal/httpd"
)

// newForwardAuth builds what proxies ask.
func newForwardAuth(a *app, cfg *config.Config) *forwardauth.Handler {
	return forwardauth.New(forwardauth.Config{
		Tokens: a.auth, Signals: a.toucher, Directory: a.store, State: a.tracker.State,
		Cookie: cfg.ForwardAuthCookie, Header: cfg.ForwardAuthHeader, By: forwardauth.By(cfg.ForwardAuthHeaderIs),
		Trusted: cfg.ForwardAuthTrusted, Optional: cfg.ForwardAuthOptional == "yes",
		Peer: httpd.Peer, Log: a.log,
	})
}

// proxiesSeen tells the dashboard what proxies asked lately.
func proxiesSeen(proxies *forwardauth.Handler) func() api.ProxySeen {
	return func() api.ProxySeen { return api.ProxySeen(proxies.Seen()) }
}
