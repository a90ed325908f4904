package main

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/api"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/httpd"
	"github.com/offchat/presence/internal/realtime"
	"github.com/offchat/presence/wire"
)

// newFeed builds the live feed and has auth tell it of sessions that end and of privacy that changes.
func newFeed(a *app, cfg *config.Config, v1 *api.Handler, beside *passes, allowOrigin func(string) bool) *realtime.Feed {
	feed := realtime.New(realtime.Config{
		Authenticate: func(ctx context.Context, token string, now time.Time) (realtime.Caller, error) {
			if auth.IsAPIToken(token) {
				return backendCaller(a.auth.AuthenticateAPI(ctx, token, now))
			}
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
		OnBehalf: func(r *http.Request, token string, want wire.FeedTicketRequest) (presence.UserID, string, error) {
			return onBehalf(a.auth, r, token, want)
		},
		OpenPass: beside.open,
		Vouch: func(ctx context.Context, token string, now time.Time) (realtime.Caller, error) {
			id, err := beside.vouches(ctx, token, now)
			return realtime.Caller{User: id.User, Expires: id.Expires, Backend: true}, err
		},
		Privacy: a.auth.Privacy, Private: a.auth.Private, Tickets: sharedTickets(a),
		Accounts: v1.AccountVersion, Device: a.auth.Device,
		AllowOrigin: allowOrigin, Address: httpd.ClientIP,
		Told:    realtime.Told{HeartbeatInterval: cfg.HeartbeatInterval, IdleAfter: cfg.IdleAfter, OfflineAfter: cfg.OfflineAfter},
		Metrics: a.metrics, Log: a.log,
	})
	a.metrics.WatchFeed(feed.Numbers())
	beside.redeem = feed.Redeem
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

// backendCaller is a backend that listens. It sees what its scopes let it see.
func backendCaller(id auth.Identity, err error) (realtime.Caller, error) {
	if err == nil && !id.Has(presence.ScopeRead|presence.ScopeAdminRead) {
		err = &presence.Error{Kind: presence.Forbidden, Op: "open feed", Code: auth.CodeScope, Tell: "This API token lacks the scope read or admin:read."}
	}
	return realtime.Caller{User: id.User, Expires: id.Expires, Staff: id.MayRead(), Backend: true}, err
}

// onBehalf lets a user in on the word of a backend.
func onBehalf(s *auth.Service, r *http.Request, token string, want wire.FeedTicketRequest) (presence.UserID, string, error) {
	id, err := s.AuthenticateAPI(r.Context(), token, now())
	if err != nil {
		return 0, "", err
	}
	n, err := strconv.ParseInt(want.User, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != want.User {
		return 0, "", &presence.Error{Kind: presence.Invalid, Op: "issue ticket", Field: "user", Code: "validation", Tell: "user is the id of a user, as a string."}
	}
	user := presence.UserID(n)
	access, err := s.OnBehalf(r.Context(), id, user, want.Device, origin(r))
	return user, access, err
}

// once is an engine that knows on all nodes what was asked for before.
type once interface {
	Once(ctx context.Context, name string, life time.Duration) bool
}

// sharedTickets are tickets that are good at every node, where there are several.
func sharedTickets(a *app) realtime.SharedTickets {
	shared, ok := a.engine.(once)
	if !ok {
		return nil
	}
	return struct {
		*auth.Sealer
		once
	}{a.auth.Sealer("feed ticket"), shared}
}

// feedRoutes is the part of /api/v1 that is the feed's.
func feedRoutes(feed *realtime.Feed) (routes *http.ServeMux, owns func(path string) bool) {
	routes = http.NewServeMux()
	feed.Register(routes)
	return routes, func(path string) bool { return path == "/api/v1/feed" || path == "/api/v1/feed/ticket" }
}
