package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/offchat/presence/internal/loadgen"
)

// admin calls as an admin.
type admin struct {
	api   *loadgen.API
	token string
}

// person is somebody as the server left them, by its own answers. A person belongs to one crowd at a time, so
// everything about one happens in order.
type person struct {
	id             int64
	name, password string

	status    string // of the account
	active    bool
	role      string
	firstName string
	deleted   bool
	sessions  []*session
	// onlineSince is when the answer came that made them online; zero while they are offline.
	onlineSince time.Time
	audit       map[string]int // acts of the admin on this account

	// pending is the act that was under way when the server died: it may have happened or not. Such a person is
	// compared where it makes no difference, and left in peace from then on.
	pending string
}

type session struct {
	access, refresh string
	since           time.Time
	over            bool
	overSince       time.Time
}

func (p *person) live() (live []*session) {
	for _, s := range p.sessions {
		if !s.over {
			live = append(live, s)
		}
	}
	return live
}

func (p *person) maySignIn() bool { return p.status == "active" && p.active && !p.deleted }

func (p *person) end(s *session) {
	s.over, s.overSince = true, time.Now()
	if len(p.live()) == 0 {
		p.onlineSince = time.Time{}
	}
}

func (p *person) endAll() {
	for _, s := range p.live() {
		p.end(s)
	}
}

func (p *person) signedIn(in loadgen.SignedIn) {
	p.id = in.User
	p.sessions = append(p.sessions, &session{access: in.Access, refresh: in.Refresh, since: time.Now()})
	if p.onlineSince.IsZero() {
		p.onlineSince = time.Now()
	}
}

// crowd is one worker's people.
type crowd struct {
	*admin
	name         func() string
	people       []*person
	acknowledged map[string]int
	unsure       int
	violations   []string
}

// crowds shares the people out.
func (t *trial) crowds(a *admin) []*crowd {
	all := make([]*crowd, *workers)
	for i := range all {
		n := 0
		stem := fmt.Sprintf("p-%d-%d-", t.cycle, i)
		all[i] = &crowd{admin: a, acknowledged: map[string]int{}, name: func() string {
			n++
			return fmt.Sprint(stem, n)
		}}
	}
	for i, p := range t.people {
		c := all[i%len(all)]
		c.people = append(c.people, p)
	}
	return all
}

// The acts, by name; those of the admin are called as the audit calls them.
var acts = []string{
	"register", "login", "logout", "heartbeat", "refresh", "create", "approve", "suspend", "ban", "activate", "force_logout",
	"set_role", "set_first_name", "delete",
}

// act does one thing after the other until the server is gone.
func (c *crowd) act(ctx context.Context) {
	for ctx.Err() == nil {
		p, what, do := c.choose()
		err := do(ctx)
		status := loadgen.StatusOf(err)
		switch {
		case err == nil:
			c.acknowledged[what]++
			if p.audit[what]++; !c.has(p) {
				c.people = append(c.people, p)
			}
		case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests || status == 0:
			// No answer, or one that says that it may have happened later.
			c.unsure++
			if p.pending = what; !c.has(p) {
				c.people = append(c.people, p)
			}
			if status == 0 {
				return // the server is gone
			}
		default:
			c.violations = append(c.violations, fmt.Sprintf("%s of %s was answered %v", what, p.name, err))
			return
		}
	}
}

func (c *crowd) has(p *person) bool {
	for i := len(c.people) - 1; i >= 0; i-- { // new ones are last
		if c.people[i] == p {
			return true
		}
	}
	return false
}

// choose draws somebody and what happens to them.
func (c *crowd) choose() (*person, string, func(context.Context) error) {
	var p *person
	if len(c.people) > 0 {
		p = c.people[rand.IntN(len(c.people))]
	}
	dice := rand.IntN(100)
	switch {
	case p == nil || p.pending != "" || p.deleted || dice < 8:
		return c.newcomer(dice%2 == 0)
	case p.status == "pending":
		return p, "approve", c.on(p, "approve", func() { p.status = "active" })
	case !p.maySignIn():
		return p, "activate", c.on(p, "activate", func() { p.status, p.active = "active", true })
	case len(p.live()) == 0 || dice < 22:
		return p, "login", func(ctx context.Context) error {
			in, err := c.api.Login(ctx, p.name, p.password)
			if err == nil {
				p.signedIn(in)
			}
			return err
		}
	case dice < 82:
		return c.ofTheirOwn(p, dice)
	default:
		return c.ofTheAdmin(p, dice)
	}
}

func (c *crowd) newcomer(byAdmin bool) (*person, string, func(context.Context) error) {
	name := c.name()
	p := &person{name: name, password: "password of " + name, active: true, role: "user", audit: map[string]int{}}
	if byAdmin {
		return p, "create", func(ctx context.Context) error {
			in := map[string]string{"username": p.name, "email": p.name + "@example.org", "password": p.password}
			var out struct{ ID int64 }
			_, err := c.api.Do(ctx, http.MethodPost, "/api/users/admin/users/", c.token, in, &out)
			p.id, p.status = out.ID, "pending"
			return err
		}
	}
	return p, "register", func(ctx context.Context) error {
		in, err := c.api.Register(ctx, p.name, p.password)
		p.status = "active"
		if err == nil {
			p.signedIn(in)
		}
		return err
	}
}

// ofTheirOwn is what somebody who is signed in does.
func (c *crowd) ofTheirOwn(p *person, dice int) (*person, string, func(context.Context) error) {
	live := p.live()
	s := live[rand.IntN(len(live))]
	switch {
	case dice < 45:
		return p, "logout", func(ctx context.Context) error {
			err := c.api.Logout(ctx, s.access)
			if err == nil {
				p.end(s)
			}
			return err
		}
	case dice < 52:
		return p, "refresh", func(ctx context.Context) error {
			got, err := c.api.Refresh(ctx, s.refresh)
			if err == nil {
				s.access, s.refresh = got.Access, got.Refresh
			}
			return err
		}
	default:
		return p, "heartbeat", func(ctx context.Context) error { return c.api.Heartbeat(ctx, s.access) }
	}
}

// ofTheAdmin is what the admin does to somebody who may sign in.
func (c *crowd) ofTheAdmin(p *person, dice int) (*person, string, func(context.Context) error) {
	switch {
	case dice < 85:
		return p, "suspend", c.on(p, "suspend", func() { p.status = "suspended"; p.endAll() })
	case dice < 88:
		return p, "ban", c.on(p, "ban", func() { p.status, p.active = "banned", false; p.endAll() })
	case dice < 91:
		return p, "force_logout", c.on(p, "force-logout", p.endAll)
	case dice < 94:
		role := map[string]string{"user": "moderator", "moderator": "user"}[p.role]
		return p, "set_role", c.change(p, "role", role, func() { p.role = role })
	case dice < 98:
		first := fmt.Sprintf("First %d", rand.Uint32())
		return p, "set_first_name", c.change(p, "first_name", first, func() { p.firstName = first })
	default:
		return p, "delete", func(ctx context.Context) error {
			_, err := c.api.Do(ctx, http.MethodDelete, c.account(p), c.token, nil, nil)
			if err == nil {
				p.deleted = true
				p.endAll()
			}
			return err
		}
	}
}

func (c *crowd) account(p *person) string { return fmt.Sprintf("/api/users/admin/users/%d/", p.id) }

// on does one of the admin's acts that have an address of their own; then is what it means.
func (c *crowd) on(p *person, act string, then func()) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.api.Do(ctx, http.MethodPost, c.account(p)+act+"/", c.token, nil, nil)
		if err == nil {
			then()
		}
		return err
	}
}

func (c *crowd) change(p *person, field, value string, then func()) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := c.api.Do(ctx, http.MethodPut, c.account(p), c.token, map[string]string{field: value}, nil)
		if err == nil {
			then()
		}
		return err
	}
}
