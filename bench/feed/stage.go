package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/offchat/presence"
	"github.com/offchat/presence/bench/child"
	"github.com/offchat/presence/internal/loadgen"
	"github.com/offchat/presence/internal/sqlite"
)

// signingKey signs the tokens of everybody here: thousands of logins would measure the hashing of passwords.
const signingKey = "a-key-f0r-trials-of-the-feed-Qm9vdHN0cmFwIG1lIHBsZWFzZQ"

// stage is a server with people in its database, at one address however often it is started.
type stage struct {
	binary, dir string
	out         io.Writer

	data    string
	address string
	ops     string
	env     []string
	server  *child.Server
	api     *loadgen.API
	backend string // an API token that may do everything
	people  []person
	groups  map[string][]person
}

// person is somebody with an account, a session, and an access token for it that outlives the trial.
type person struct {
	id    presence.UserID
	token string
}

// group is some people who are alike.
type group struct {
	name string
	n    int
	role presence.Role
}

// open fills a new database with people and starts a server on it.
func (s *stage) open(ctx context.Context, env []string, groups ...group) (err error) {
	if s.data, err = os.MkdirTemp(s.dir, "data-"); err != nil {
		return err
	}
	if err := s.fill(ctx, groups); err != nil {
		return err
	}
	if s.address, err = child.FreeAddress(); err != nil {
		return err
	}
	if s.ops, err = child.FreeAddress(); err != nil {
		return err
	}
	s.env = append([]string{"PRESENCE_SIGNING_KEY=" + signingKey, "PRESENCE_LOG_LEVEL=warn", "PRESENCE_OPS_LISTEN=" + s.ops}, env...)
	if err := s.makeToken(ctx); err != nil {
		return err
	}
	s.api = loadgen.NewAPI("http://"+s.address, 64)
	return s.start(ctx)
}

func (s *stage) start(ctx context.Context) (err error) {
	s.server, err = child.Start(ctx, child.Options{
		Binary: s.binary, Data: s.data, Env: s.env, CPU: child.AnyCPU, Address: s.address, Log: filepath.Join(s.dir, "log"),
	})
	return err
}

// close ends the server for good.
func (s *stage) close() {
	if s.server != nil {
		s.server.Kill()
	}
	if s.api != nil {
		s.api.Close()
	}
}

// url is the address of a path of the server.
func (s *stage) url(path string) string { return "http://" + s.address + path }

// fill writes accounts with a session each, and signs tokens for them.
func (s *stage) fill(ctx context.Context, groups []group) (err error) {
	store, err := sqlite.Open(ctx, filepath.Join(s.data, "presence.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	s.groups = map[string][]person{}
	now := time.Now().UTC().Truncate(time.Microsecond)
	for _, g := range groups {
		for from := 0; from < g.n; from += 1000 {
			var some []person
			err := store.Durable(ctx, func(tx presence.Tx) error {
				some = some[:0]
				for i := from; i < min(from+1000, g.n); i++ {
					p, err := insert(tx, fmt.Sprintf("%s-%d", g.name, i), g.role, now)
					if err != nil {
						return err
					}
					some = append(some, p)
				}
				return nil
			})
			if err != nil {
				return err
			}
			s.groups[g.name] = append(s.groups[g.name], some...)
		}
		s.people = append(s.people, s.groups[g.name]...)
	}
	return nil
}

func insert(tx presence.Tx, name string, role presence.Role, now time.Time) (person, error) {
	began := now.Add(-time.Hour) // they were here once and left: nobody is online at the first start
	a := presence.Account{
		Username: name, Email: name + "@example.org", Active: true, Role: role, CreatedAt: began, JoinedAt: began, UpdatedAt: began,
		LastSeen: now, Since: now, Cause: presence.CauseTimeout, Version: 2,
	}
	if err := tx.InsertAccount(&a); err != nil {
		return person{}, err
	}
	session := presence.SessionID(1<<40 + a.ID)
	if err := tx.InsertSession(presence.LoginSession{ID: session, User: a.ID, CreatedAt: began, ExpiresAt: now.Add(24 * time.Hour)}); err != nil {
		return person{}, err
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"token_type": "access", "exp": now.Add(12 * time.Hour).Unix(), "iat": now.Unix(), "jti": fmt.Sprintf("%032x", int64(session)),
		"user_id": int64(a.ID), "sid": session.String(),
	}).SignedString([]byte(signingKey))
	return person{a.ID, token}, err
}

// makeToken makes an API token while no server runs.
func (s *stage) makeToken(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, s.binary, "token", "create", "trial", "--scope", "touch,read,tickets,logout,admin:read", "--data", s.data)
	cmd.Env = append(os.Environ(), s.env...)
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("make an API token: %w", err)
	}
	s.backend = strings.TrimSpace(string(out))
	return nil
}

// ticket lets somebody in on the word of the backend, on a device of that name.
func (s *stage) ticket(ctx context.Context, user presence.UserID, device string) (string, error) {
	var out struct {
		Ticket string `json:"ticket"`
	}
	in := map[string]any{"user": idText(user), "device": device}
	_, err := s.api.Do(ctx, http.MethodPost, "/api/v1/feed/ticket", s.backend, in, &out)
	return out.Ticket, err
}

// set changes somebody's status as an admin does. It returns when the server has answered.
func (s *stage) set(ctx context.Context, admin person, user presence.UserID, online bool) error {
	in := map[string]string{"status": presence.Offline.String()}
	if online {
		in["status"] = presence.Online.String()
	}
	_, err := s.api.Do(ctx, http.MethodPost, "/api/users/admin/users/"+idText(user)+"/set-online-status/", admin.token, in, nil)
	return err
}

// metrics reads numbers that the server tells its operators: names with their labels, as in the scrape.
func (s *stage) metrics(ctx context.Context, names ...string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.ops+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	told := make(map[string]float64, len(names))
	for _, name := range names {
		_, rest, found := strings.Cut("\n"+string(text), "\n"+name+" ")
		line, _, _ := strings.Cut(rest, "\n")
		if !found {
			return nil, fmt.Errorf("the metrics have no %s", name)
		}
		if told[name], err = strconv.ParseFloat(line, 64); err != nil {
			return nil, err
		}
	}
	return told, nil
}

// beat has people send heartbeats, each once an interval, over a few connections, until ctx ends. Beats that fail are
// sent again at the next interval, as clients do.
func (s *stage) beat(ctx context.Context, people []person, every time.Duration) *sync.WaitGroup {
	const connections = 4
	var group sync.WaitGroup
	for n := range connections {
		group.Go(func() {
			conn, err := loadgen.NewConn(s.url(""))
			if err != nil {
				return
			}
			defer conn.Close()
			for ctx.Err() == nil {
				round := time.Now()
				for i := n; i < len(people); i += connections {
					if err := conn.Heartbeat(ctx, people[i].token); err != nil {
						wait(ctx, 20*time.Millisecond)
					}
				}
				wait(ctx, every-time.Since(round))
			}
		})
	}
	return &group
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// until asks again and again, for at most that long, whether something holds.
func until(ctx context.Context, patience time.Duration, holds func() bool) bool {
	for end := time.Now().Add(patience); !holds(); {
		if ctx.Err() != nil || time.Now().After(end) {
			return false
		}
		wait(ctx, 20*time.Millisecond)
	}
	return true
}

func idText(id presence.UserID) string { return strconv.FormatInt(int64(id), 10) }
