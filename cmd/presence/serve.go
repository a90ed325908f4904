package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/api"
	"github.com/offchat/presence/internal/assets"
	"github.com/offchat/presence/internal/compat"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/dashboard"
	"github.com/offchat/presence/internal/forwardauth"
	"github.com/offchat/presence/internal/httpd"
	"github.com/offchat/presence/internal/realtime"
	"github.com/offchat/presence/wire"
)

type serveCmd struct {
	settingFlags
}

// Help is shown by --help.
func (serveCmd) Help() string {
	return `Without any configuration it listens on the loopback interface and keeps its data in your home directory. While there is no admin it prints a link, good once, that makes one. It stops at SIGINT or SIGTERM: requests under way are answered, and everybody who is online stays online for the next start.

Examples:

    presence serve
    presence serve --listen 127.0.0.1:9000 --data ./data
    PRESENCE_OFFLINE_AFTER=12s PRESENCE_HEARTBEAT_INTERVAL=3s presence serve
    presence serve --config /etc/presence.toml --ops-listen 127.0.0.1:9100`
}

// Run serves until the process is told to stop.
func (c *serveCmd) Run(p *process) error {
	cfg, err := c.load(p)
	if err != nil {
		return err
	}
	hangup := p.hangup
	if hangup == nil {
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, syscall.SIGHUP)
		defer signal.Stop(signals)
		hangup = signals
	}
	return serve(p.ctx, cfg, p.stderr, p.opened, &reloader{hangup: hangup, load: func() (*config.Config, error) { return c.load(p) }})
}

// addresses are where a running server listens.
type addresses struct{ public, ops net.Addr }

// serve runs a server until ctx ends. It calls opened, if there is one, when it is ready.
func serve(ctx context.Context, cfg *config.Config, stderr io.Writer, opened func(addresses), reload *reloader) error {
	defer runtime.KeepAlive(collectorFloor())
	level := new(slog.LevelVar)
	level.Set(levelOf(cfg))
	log := newLogger(cfg, stderr, level)
	manager := supervisor{log}
	a, err := openApp(ctx, cfg, log, lockPatience)
	if err != nil {
		return err
	}

	// The addresses are taken before anything starts: one that is in use is found out at once.
	public, ops, err := listen(ctx, cfg, manager, log)
	if err != nil {
		return errors.Join(err, a.close())
	}
	defer closeAll(public, ops) // whatever nobody served

	contract := compat.New(compat.Config{
		Auth: a.auth, Presence: a.tracker, Accounts: a.store, Logs: a.store,
		Told: compat.Told{
			HeartbeatInterval: cfg.HeartbeatInterval, IdleAfter: cfg.IdleAfter,
			OfflineAfter: cfg.OfflineAfter, RefreshInterval: cfg.RefreshInterval,
		},
		BaseURL: httpd.BaseURL, Origin: origin, AllowOrigin: socketOrigins(a, public.Addr()),
		Metrics: a.metrics, Log: log,
	})
	proxies := newForwardAuth(a, cfg)
	var feed *realtime.Feed
	known := &facts{app: a}
	v1 := api.New(api.Config{
		Auth: a.auth, Presence: a.tracker, Store: a.store, Touch: a.toucher, Webhooks: a.webhooks, Settings: told(cfg),
		Version: build().Version, Origin: origin, Log: log,
		Node: nodeName(cfg), OnJob: func(j wire.FeedJob) { feed.Job(j) },
		TrashRetention: a.trashRetention, Proxies: proxiesSeen(proxies),
		Facts: known.tell, Configured: timeoutsOf(cfg), OnTimeouts: func(t presence.Timeouts) {
			a.timeouts.Store(&t)
			a.engine.SetPolicy(t.Policy())
			contract.SetTold(compat.Told{
				HeartbeatInterval: t.HeartbeatInterval, IdleAfter: t.IdleAfter, OfflineAfter: t.OfflineAfter, RefreshInterval: t.RefreshInterval,
			})
			feed.SetTold(realtime.Told{HeartbeatInterval: t.HeartbeatInterval, IdleAfter: t.IdleAfter, OfflineAfter: t.OfflineAfter})
		},
	})
	beside := newPasses(a.auth)
	feed = newFeed(a, cfg, v1, beside, socketOrigins(a, public.Addr()))
	known.feed = feed
	if err := v1.FollowTimeouts(ctx); err != nil {
		log.LogAttrs(ctx, slog.LevelError, "the timeouts that were set in the dashboard cannot be read; those of the configuration count", slog.Any("err", err))
	}
	live, ownsLive := feedRoutes(feed)
	site := http.NewServeMux()
	if err := registerSite(site, &pages{auth: a.auth, store: a.store, origin: origin, log: log}); err != nil {
		return errors.Join(err, a.close())
	}
	script, err := newSDKFile(assets.SDK())
	if err != nil {
		return errors.Join(err, a.close())
	}
	script.register(site)
	answerProbes(site, &a.probes)
	shown := dashboard.Plain(site)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == forwardauth.Path:
			proxies.ServeHTTP(w, r)
		case ownsLive(path):
			live.ServeHTTP(w, r)
		case api.Owns(path):
			v1.ServeHTTP(w, r)
		case compat.Owns(path):
			contract.ServeHTTP(w, r)
		default:
			shown.ServeHTTP(w, r)
		}
	})

	server := httpd.New(httpd.Options{
		Handler: beside.door(handler), Ready: &a.ready, Metrics: a.metrics.HTTP, Log: log,
		TrustedProxies: cfg.TrustedProxies, CORSOrigins: cfg.CORSOrigins,
		ExposeHeaders: []string{"Presence-Heartbeat-Interval", "Presence-Idle-After", "Presence-Offline-After", "Presence-Refresh-Interval", passHeader},
	})
	reload.log, reload.supervisor, reload.running = log, manager, cfg
	reload.apply = func(merged *config.Config) {
		a.settings.Store(merged)
		level.Set(levelOf(merged))
		server.Believe(merged.TrustedProxies, merged.CORSOrigins)
	}
	doors := []door{
		reload.run,
		func(ctx context.Context) error { return manager.watch(ctx, a.alive) },
		func(ctx context.Context) error { return server.Serve(ctx, public) },
		contract.Run,
		feed.Run,
		v1.Run,
	}
	if cfg.Canaries == "on" {
		doors = append(doors, a.canaries(public.Addr()))
	}
	where := addresses{public: public.Addr()}
	if ops != nil {
		where.ops = ops.Addr()
		operators := httpd.NewOps(&a.ready, promhttp.HandlerFor(a.registry, promhttp.HandlerOpts{}), log)
		doors = append(doors, func(ctx context.Context) error { return operators.Serve(ctx, ops) })
	}
	return a.run(ctx, func(ctx context.Context) error {
		if err := greet(ctx, stderr, a, where); err != nil {
			return err
		}
		manager.ready()
		context.AfterFunc(ctx, manager.stopping)
		if opened != nil {
			opened(where)
		}
		return nil
	}, doors...)
}

// collectorFloor is memory that is never touched, so it costs address space and nothing else. The garbage
// collector starts when the heap has doubled; a small server's heap doubles every few milliseconds under load,
// and the collections cost a tenth of a heartbeat. With the floor counted in, they come once per 64 MB.
// A pacer by GOGC would multiply the memory of large servers instead.
func collectorFloor() []byte { return make([]byte, 64<<20) }

// listen takes the addresses: those that the service manager hands over, else the configured ones.
func listen(ctx context.Context, cfg *config.Config, manager supervisor, log *slog.Logger) (public, ops net.Listener, err error) {
	if public, ops, err = manager.inherited(); err != nil {
		return nil, nil, err
	}
	switch {
	case public != nil:
		log.LogAttrs(ctx, slog.LevelInfo, "the service manager opened the public address; listen is not used", slog.String("address", public.Addr().String()))
	default:
		if public, err = httpd.Listen(ctx, cfg.Listen); err != nil {
			closeAll(ops)
			return nil, nil, addressError("listen", cfg.Listen, err)
		}
	}
	if ops == nil && cfg.OpsListen != "off" {
		if ops, err = httpd.Listen(ctx, cfg.OpsListen); err != nil {
			public.Close()
			return nil, nil, addressError("ops_listen", cfg.OpsListen, err)
		}
	}
	return public, ops, nil
}

func addressError(key, address string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%s: another program listens at %s; choose another address with --listen, or stop it", key, address)
	}
	return fmt.Errorf("%s: %w", key, err)
}

func closeAll(listeners ...net.Listener) {
	for _, ln := range listeners {
		if ln != nil {
			ln.Close() // a second time does no harm
		}
	}
}

// greet tells a person where the server is and, while there is no admin, how to make one. The link goes to
// standard error as it is and never into the log, which is kept, searched and shipped elsewhere.
func greet(ctx context.Context, out io.Writer, a *app, where addresses) error {
	token, needed, err := a.auth.BeginSetup(ctx)
	if err != nil {
		return err
	}
	base := "http://" + reachable(where.public.String())
	a.log.LogAttrs(ctx, slog.LevelInfo, "ready", slog.String("address", where.public.String()), slog.String("data", a.cfg.Data),
		slog.String("version", build().Version))
	fmt.Fprintf(out, "\nPresence is ready at %s/\n", base)
	if where.ops != nil {
		fmt.Fprintf(out, "Metrics and profiles are at http://%s/\n", reachable(where.ops.String()))
	}
	if needed {
		fmt.Fprintf(out, "\nThere is no admin yet. Open this link to make one; it works once:\n\n    %s/setup?token=%s\n\n"+
			"or make one here:\n\n    presence user create NAME --role admin --data %s\n", base, token, quoted(a.cfg.Data))
	}
	fmt.Fprintln(out)
	return nil
}

// timeoutsOf are the timeouts that the configuration says.
func timeoutsOf(cfg *config.Config) presence.Timeouts {
	return presence.Timeouts{
		HeartbeatInterval: cfg.HeartbeatInterval, OfflineAfter: cfg.OfflineAfter, LeaveGrace: cfg.LeaveGrace, IdleAfter: cfg.IdleAfter,
		RefreshInterval: cfg.RefreshInterval,
	}
}

// told is what clients of /api/v1 are told of the settings.
func told(cfg *config.Config) wire.Settings {
	settings := wire.Settings{
		HeartbeatInterval: cfg.HeartbeatInterval.Seconds(), IdleAfter: cfg.IdleAfter.Seconds(),
		OfflineAfter: cfg.OfflineAfter.Seconds(), RefreshInterval: cfg.RefreshInterval.Seconds(),
	}
	for _, one := range cfg.Effective() {
		settings.Server = append(settings.Server, wire.Setting{Key: one.Key, Value: one.Value, Source: one.Source.String()})
	}
	return settings
}

// origin is where a request came from, which httpd found out.
func origin(r *http.Request) presence.Origin {
	return presence.Origin{IP: httpd.ClientIP(r), UserAgent: r.UserAgent(), RequestID: httpd.RequestID(r)}
}

// socketOrigins are the origins whose pages may open WebSockets: the configured ones, and our own.
func socketOrigins(a *app, public net.Addr) func(string) bool {
	own := []string{"http://" + reachable(public.String())}
	if _, port, err := net.SplitHostPort(public.String()); err == nil {
		own = append(own, "http://localhost:"+port)
	}
	return func(origin string) bool {
		return slices.Contains(a.settings.Load().CORSOrigins, origin) || slices.Contains(own, origin)
	}
}

// quoted writes a word for a shell.
func quoted(word string) string {
	if word != "" && strings.Trim(word, shellSafe) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

const shellSafe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./+:@%,="
