package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/loadgen"
	"github.com/offchat/presence/internal/sqlite"
)

// row is somebody in the list of all users, as an admin sees it.
type row struct {
	ID        int64  `json:"id"`
	Username  string `json:"username"`
	FirstName string `json:"first_name"`
	Online    string `json:"online_status"`
	Role      string `json:"role"`
	Status    string `json:"status"`
	Active    bool   `json:"is_active"`
}

// compare holds what the server says right after its start against what is known. It makes nobody's status
// change, and listens for changes meanwhile: there must be none.
func (t *trial) compare(ctx context.Context, a *admin) error {
	var told atomic.Int64
	listener, err := a.api.Listen(a.token, func(c loadgen.Change) {
		if c.Username != adminName {
			told.Add(1)
		}
	})
	if err != nil {
		return err
	}
	defer listener.Close()
	var list struct {
		Users []row `json:"users"`
	}
	if _, err := a.api.Do(ctx, http.MethodGet, "/api/users/all-users/", a.token, nil, &list); err != nil {
		return err
	}
	rows := make(map[string]row, len(list.Users))
	for _, r := range list.Users {
		rows[r.Username] = r
	}
	for _, p := range t.people {
		r, there := rows[p.name]
		t.compareAccount(p, r, there)
		t.comparePresence(p, r, there)
		t.compareEnded(ctx, a.api, p)
	}
	if n := told.Load(); n > 0 {
		t.violated("%d changes of status were told after the restart", n)
	}
	return nil
}

// compareAccount: no acknowledged account and no act on it is lost.
func (t *trial) compareAccount(p *person, r row, there bool) {
	t.checks++
	known := p.id != 0 // else nobody knows whether it was made
	switch {
	case !known:
	case p.deleted && there:
		t.violated("%s was deleted and is there", p.name)
	case !p.deleted && !there && p.pending != "delete":
		t.violated("%s is gone", p.name)
	case !there:
	case r.ID != p.id:
		t.violated("%s has id %d, had %d", p.name, r.ID, p.id)
	case p.pending == "" && (r.Status != p.status || r.Active != p.active || r.Role != p.role || r.FirstName != p.firstName):
		t.violated("%s is %s, active %v, %s, %q; was left %s, active %v, %s, %q",
			p.name, r.Status, r.Active, r.Role, r.FirstName, p.status, p.active, p.role, p.firstName)
	}
}

// comparePresence: who was online is online, and nobody who was not.
func (t *trial) comparePresence(p *person, r row, there bool) {
	if !there || p.pending != "" {
		return
	}
	t.checks++
	online := r.Online == presence.Online.String()
	switch {
	case online && p.onlineSince.IsZero():
		t.violated("%s is %s without a session", p.name, r.Online)
	case online || p.onlineSince.IsZero():
	case t.killed.Sub(p.onlineSince) < *settled:
		t.late++
		p.onlineSince = time.Time{} // until the next sign of life
	default:
		t.violated("%s is %s, was online for %v; sessions: %s", p.name, r.Online, ago(t.killed, p.onlineSince), p.story(t.killed))
	}
}

// compareEnded: an ended session is refused, at every entry; those that ended since the last restart are asked
// about, and all of the others at the end.
func (t *trial) compareEnded(ctx context.Context, api *loadgen.API, p *person) {
	for _, s := range p.sessions {
		if !s.over || s.overSince.Before(t.lastStart()) && t.cycle < *cycles {
			continue
		}
		t.checks++
		if err := api.Heartbeat(ctx, s.access); !refused(p, err) {
			t.violated("%s: a heartbeat of an ended session was answered %v", p.name, answered(err))
		}
		if _, err := api.Refresh(ctx, s.refresh); loadgen.StatusOf(err) != http.StatusUnauthorized {
			t.violated("%s: a refresh of an ended session was answered %v", p.name, answered(err))
		}
	}
}

// refused: 401, or the recorded 403 where the account is the reason.
func refused(p *person, err error) bool {
	status := loadgen.StatusOf(err)
	return status == http.StatusUnauthorized || status == http.StatusForbidden && (!p.maySignIn() || p.pending != "")
}

func (t *trial) lastStart() time.Time {
	if len(t.quiet) == 0 {
		return time.Time{}
	}
	return t.quiet[len(t.quiet)-1].from
}

// story tells what a person's last sessions did before the kill.
func (p *person) story(killed time.Time) string {
	words := ""
	for _, s := range p.sessions[max(0, len(p.sessions)-5):] {
		words += fmt.Sprintf("[began %v before the kill", ago(killed, s.since))
		if s.over {
			words += fmt.Sprintf(", ended %v before", ago(killed, s.overSince))
		}
		words += "]"
	}
	return words
}

func ago(killed, at time.Time) time.Duration { return killed.Sub(at).Round(time.Millisecond) }

func answered(err error) string {
	if err == nil {
		return "200"
	}
	return err.Error()
}

// checkLiveSessions: what was signed in is signed in. These are signs of life, so they come after the quiet.
func (t *trial) checkLiveSessions(ctx context.Context, a *admin) {
	for _, p := range t.people {
		if p.pending != "" {
			continue
		}
		for _, s := range p.live() {
			t.checks++
			if err := a.api.Heartbeat(ctx, s.access); err != nil {
				t.violated("%s: a heartbeat of a live session was answered %v", p.name, err)
			} else if p.onlineSince.IsZero() {
				p.onlineSince = time.Now()
			}
		}
	}
}

// last compares once more, with every session there ever was, stops the server in order, and looks into its
// database.
func (t *trial) last(ctx context.Context) error {
	server, a, err := t.start(ctx)
	if err != nil {
		return err
	}
	a.api.Close()
	if err := server.Stop(); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	store, err := sqlite.Open(ctx, filepath.Join(t.data, "presence.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := t.checkHistory(ctx, store); err != nil {
		return err
	}
	return t.checkAudit(ctx, store)
}

// checkHistory: no change of status is recorded between a start and the moment people acted again.
func (t *trial) checkHistory(ctx context.Context, store presence.LogReader) error {
	for _, p := range t.people {
		if p.id == 0 {
			continue
		}
		changes, err := store.History(ctx, presence.UserID(p.id), t.quiet[0].from, time.Now(), 100_000)
		if err != nil {
			return err
		}
		for _, c := range changes {
			for i, quiet := range t.quiet {
				if c.At.After(quiet.from) && c.At.Before(quiet.to) {
					t.violated("%s went %s at start %d, by %s", p.name, c.To, i+1, c.Cause)
				}
			}
		}
		t.checks++
	}
	return nil
}

// checkAudit: every acknowledged act of the admin has its line.
func (t *trial) checkAudit(ctx context.Context, store presence.LogReader) error {
	type line struct {
		target presence.UserID
		action string
	}
	found := map[line]int{}
	for offset := 0; ; offset += 1000 {
		entries, total, err := store.Audit(ctx, offset, 1000)
		if err != nil {
			return err
		}
		for _, e := range entries {
			found[line{e.Target, e.Action}]++
		}
		if offset+len(entries) >= total {
			break
		}
	}
	for _, p := range t.people {
		for _, action := range acts[5:] {
			if n := p.audit[action]; n > 0 {
				t.checks++
				if got := found[line{presence.UserID(p.id), action}]; got < n {
					t.violated("%s: %d lines of audit about %s, %d were acknowledged", p.name, got, action, n)
				}
			}
		}
	}
	return nil
}
