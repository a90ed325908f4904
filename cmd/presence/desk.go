package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/internal/config"
	"github.com/offchat/presence/internal/control"
	"github.com/offchat/presence/internal/postgres"
)

// withDatabase does what one command asks for in the database that several nodes share, without asking any of them:
// they hear of it from the database within a second or two, as they hear of each other.
func withDatabase(p *process, cfg *config.Config, log *slog.Logger, do func(context.Context, *control.Client) error) error {
	store, err := postgres.Open(p.ctx, string(cfg.Database), postgres.Options{Log: log, Conns: 2})
	if err != nil {
		return err
	}
	defer store.Close()
	// The key signs nothing here: no act of the command line gives anybody a token.
	var key [32]byte
	rand.Read(key[:]) // never fails (crypto/rand)
	keys, err := auth.NewKeys(key[:])
	if err != nil {
		return err
	}
	acts, err := auth.New(auth.Config{Store: store, Presence: elsewhere{}, Keys: keys, Log: log})
	if err != nil {
		return err
	}
	defer acts.Close()
	wire := newPipe()
	handler := control.New(acts, store, columns{store})
	handler.ServeTokens(acts)
	handler.ServeRecords(store, acts)
	server := http.Server{Handler: handler, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(wire) }()
	defer func() {
		_ = server.Close()
		<-ended
	}()
	return do(p.ctx, control.Dial(wire.dial))
}

// elsewhere stands for presence that other processes keep. They are told by the store.
type elsewhere struct{}

func (elsewhere) Signal(_ context.Context, s presence.Signal) (presence.Presence, error) {
	return presence.Presence{}, nil
}
func (elsewhere) Admit(context.Context, presence.Account) error { return nil }

// columns tells who is online as the store has it, which is a second behind.
type columns struct{ store presence.AccountReader }

// State implements control.Statuses.
func (c columns) State(ctx context.Context, users []presence.UserID) ([]presence.Presence, error) {
	accounts, err := c.store.AccountsByID(ctx, users)
	if err != nil {
		return nil, err
	}
	known := map[presence.UserID]presence.Presence{}
	for _, a := range accounts {
		known[a.ID] = presence.Presence{
			User: a.ID, Status: a.OnlineStatus, Cause: a.Cause, LastSeen: a.LastSeen, Since: a.Since, Version: a.Version,
		}
	}
	out := make([]presence.Presence, len(users))
	for i, id := range users {
		out[i] = known[id]
		out[i].User = id
	}
	return out, nil
}

// pipe is a listener that is dialled within the process.
type pipe struct {
	conns chan net.Conn
	over  chan struct{}
	once  sync.Once
}

func newPipe() *pipe { return &pipe{conns: make(chan net.Conn), over: make(chan struct{})} }

func (l *pipe) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.over:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), ours.Close(), theirs.Close())
	}
}

// Accept implements net.Listener.
func (l *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.over:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (l *pipe) Close() error {
	l.once.Do(func() { close(l.over) })
	return nil
}

// Addr implements net.Listener.
func (l *pipe) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }
