package main

import (
	"context"
	"net/http"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/api"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/httpd"
	"github.com/offchat/presence/internal/realtime"
)

// newFeed builds the live feed and has auth tell it of sessions that end and of privacy that changes.
func newFeed(a *app, cfg *config.Config, v1 *api.Handler, allowOrigin func(string) bool) *realtime.Feed {
	feed := realtime.New(realtime.Config{
		Authenticate: func(ctx context.Context, token string, now time.Time) (realtime.Caller, error) {
			id, err := a.auth.Authenticate(ctx, token, now)
			return realtime.Caller{User: id.User, Session: id.Session, Expires: id.Expires, Staff: id.MayRead()}, err
		},
		Presence: a.tracker,
		Account: func(ctx context.Context, user presence.UserID) (active, staff bool, err error) {
			account, err := a.store.Account(ctx, user)
			if presence.KindOf(err) == presence.NotFound && err != nil {
				return false, false, nil
			}
			return account.MaySignIn(), account.MayRead(), err
		},
		Privacy: a.auth.Privacy, Private: a.auth.Private,
		Accounts: v1.AccountVersion, Device: a.auth.Device,
		AllowOrigin: allowOrigin, Address: httpd.ClientIP,
		HeartbeatInterval: cfg.HeartbeatInterval, IdleAfter: cfg.IdleAfter, OfflineAfter: cfg.OfflineAfter,
		Metrics: a.metrics, Log: a.log,
	})
	a.auth.OnSessionEnd(feed.SessionEnded)
	a.auth.OnPrivacy(func(user presence.UserID, _ presence.Privacy) { feed.PrivacyChanged(user) })
	changed := func(user presence.UserID) {
		v1.AccountChanged(user)
		feed.AccountsChanged()
	}
	a.auth.OnAccountChange(changed)
	a.auth.OnPrivacy(func(user presence.UserID, _ presence.Privacy) { changed(user) })
	return feed
}

// feedRoutes is the part of /api/v1 that is the feed's.
func feedRoutes(feed *realtime.Feed) (routes *http.ServeMux, owns func(path string) bool) {
	routes = http.NewServeMux()
	feed.Register(routes)
	return routes, func(path string) bool { return path == "/api/v1/feed" || path == "/api/v1/feed/ticket" }
}
