package storetest

import (
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
)

func sessionScenarios() []scenario {
	return slices.Concat(living(), revoking())
}

// living is about how sessions begin and end.
func living() []scenario {
	return []scenario{
		{"a session comes back with every field as it was stored", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			open := presence.LoginSession{
				ID: 1<<63 - 1, User: id, CreatedAt: noon, ExpiresAt: after(time.Hour),
				Foreign: true, IP: "::1", UserAgent: "agent/1",
			}
			over := presence.LoginSession{
				ID: 256, User: id, CreatedAt: noon, ExpiresAt: after(time.Hour),
				EndedAt: after(time.Minute), EndCause: presence.CauseForced,
			}
			signIn(t, h.Store, open, over)
			for _, want := range []presence.LoginSession{open, over} {
				same(t, "read", session(t, h.Store, want.ID), want)
				do(t, h.Store, func(tx presence.Tx) error {
					got, err := tx.Session(want.ID)
					same(t, "in an act", got, want)
					return err
				})
			}
			again := h.Store.Durable(t.Context(), func(tx presence.Tx) error { return tx.InsertSession(open) })
			refused(t, "the same id again", again, presence.Conflict, "id")
		}},
		{"a session ends once and stays as it ended", func(t *testing.T, h *Harness) {
			one := signedIn(t, h.Store, 300)
			end := func(cause presence.Cause, at time.Time) {
				do(t, h.Store, func(tx presence.Tx) error { return tx.EndSession(one.ID, cause, at) })
			}
			end(presence.CauseLogout, after(time.Minute))
			end(presence.CauseForced, after(time.Hour))
			do(t, h.Store, func(tx presence.Tx) error {
				_, err := tx.EndSessions(one.User, 0, presence.CauseForced, after(2*time.Hour))
				return err
			})
			one.EndedAt, one.EndCause = after(time.Minute), presence.CauseLogout
			same(t, "ended", session(t, h.Store, one.ID), one)
			h.Store = h.Reopen()
			same(t, "after reopening", session(t, h.Store, one.ID), one)
		}},
		{"a session is extended forward only", func(t *testing.T, h *Harness) {
			one := signedIn(t, h.Store, 300)
			extend := func(to time.Time) {
				do(t, h.Store, func(tx presence.Tx) error {
					return tx.ExtendSession(one.ID, to)
				})
			}
			extend(after(3 * time.Hour))
			extend(after(2 * time.Hour))
			one.ExpiresAt = after(3 * time.Hour)
			same(t, "extended", session(t, h.Store, one.ID), one)
		}},
		{"a session that has ended cannot be extended", func(t *testing.T, h *Harness) {
			one := signedIn(t, h.Store, 300)
			do(t, h.Store, func(tx presence.Tx) error {
				return tx.EndSession(one.ID, presence.CauseLogout, after(time.Minute))
			})
			err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
				return tx.ExtendSession(one.ID, after(9*time.Hour))
			})
			refused(t, "extend", err, presence.NotFound, "")
			one.EndedAt, one.EndCause = after(time.Minute), presence.CauseLogout
			same(t, "as it ended", session(t, h.Store, one.ID), one)
		}},
		{"ending all sessions but one returns exactly those it ended", endSessions},
		{"the live sessions are those that have neither ended nor expired", liveSessions},
	}
}

// revoking is about tokens and about what is purged.
func revoking() []scenario {
	return []scenario{
		{"a revoked token is refused at once, for everybody and after reopening", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			do(t, h.Store, func(tx presence.Tx) error {
				if err := tx.RevokeToken("jti-1", id, after(time.Hour)); err != nil {
					return err
				}
				revoked, err := tx.TokenRevoked("jti-1")
				if !revoked {
					t.Error("not revoked in the same act")
				}
				return err
			})
			do(t, h.Store, func(tx presence.Tx) error {
				return tx.RevokeToken("jti-1", id, after(time.Minute))
			}) // again is no error
			h.Store = h.Reopen()
			same(t, "revoked", []bool{revoked(t, h.Store, "jti-1"), revoked(t, h.Store, "jti-2"), revoked(t, h.Store,
				"JTI-1"), revoked(t, h.Store, "")},
				[]bool{true, false, false, false})
		}},
		{"a token that is revoked again stays revoked until the later moment", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			for _, expires := range []time.Duration{time.Minute, time.Hour, time.Second} {
				do(t, h.Store, func(tx presence.Tx) error { return tx.RevokeToken("jti", id, after(expires)) })
			}
			get[int](t)(h.Store.Purge(t.Context(), after(30*time.Minute), noon))
			if !revoked(t, h.Store, "jti") {
				t.Error("purged before its time")
			}
		}},
		{"a purge deletes what is out of its time and nothing else", purge},
		{"a purge of thousands deletes them all", func(t *testing.T, h *Harness) {
			id := person(t, h.Store, "ada")
			do(t, h.Store, func(tx presence.Tx) error {
				for i := range presence.SessionID(2500) {
					if err := tx.InsertSession(presence.LoginSession{
						ID: 300 + i, User: id, CreatedAt: noon,
						ExpiresAt: noon,
					}); err != nil {
						return err
					}
				}
				return nil
			})
			if n := get[int](t)(h.Store.Purge(t.Context(), after(time.Second), noon)); n != 2500 {
				t.Errorf("%d rows went, want 2500", n)
			}
			if n := get[int](t)(h.Store.Purge(t.Context(), after(time.Second), noon)); n != 0 {
				t.Errorf("%d rows went the second time", n)
			}
		}},
	}
}

// signIn stores sessions.
func signIn(t *testing.T, s presence.Store, sessions ...presence.LoginSession) {
	t.Helper()
	do(t, s, func(tx presence.Tx) error {
		for _, one := range sessions {
			if err := tx.InsertSession(one); err != nil {
				return err
			}
		}
		return nil
	})
}

// signedIn stores a session of a new account.
func signedIn(t *testing.T, s presence.Store, id presence.SessionID) presence.LoginSession {
	t.Helper()
	one := presence.LoginSession{
		ID: id, User: person(t, s, "user-"+id.String()), CreatedAt: noon,
		ExpiresAt: after(time.Hour),
	}
	signIn(t, s, one)
	return one
}

func session(t *testing.T, s presence.Store, id presence.SessionID) presence.LoginSession {
	t.Helper()
	return get[presence.LoginSession](t)(s.Session(t.Context(), id))
}

func revoked(t *testing.T, s presence.Store, jti string) bool {
	t.Helper()
	return get[bool](t)(s.TokenRevoked(t.Context(), jti))
}

func liveSessions(t *testing.T, h *Harness) {
	id := person(t, h.Store, "ada")
	at := func(sid presence.SessionID, expires, ended time.Duration) presence.LoginSession {
		s := presence.LoginSession{ID: sid, User: id, CreatedAt: noon, ExpiresAt: after(expires)}
		if ended != 0 {
			s.EndedAt, s.EndCause = after(ended), presence.CauseLogout
		}
		return s
	}
	signIn(t, h.Store, at(301, time.Hour, 0), at(302, time.Hour, time.Minute), at(303, time.Minute, 0),
		at(304, 10*time.Minute, 0))
	live := get[map[presence.SessionID]presence.LiveSession](t)(h.Store.LiveSessions(t.Context(), after(10*time.Minute)))
	same(t, "live", live, map[presence.SessionID]presence.LiveSession{301: {User: id, CreatedAt: noon}})
}

func endSessions(t *testing.T, h *Harness) {
	ada, bob := person(t, h.Store, "ada"), person(t, h.Store, "bob")
	for _, sid := range []presence.SessionID{301, 302, 303, 304} {
		signIn(t, h.Store, presence.LoginSession{ID: sid, User: ada, CreatedAt: noon, ExpiresAt: after(time.Hour)})
	}
	signIn(t, h.Store, presence.LoginSession{ID: 400, User: bob, CreatedAt: noon, ExpiresAt: after(time.Hour)})
	do(t, h.Store, func(tx presence.Tx) error { return tx.EndSession(302, presence.CauseLogout, noon) })
	end := func(except presence.SessionID) (ended []presence.SessionID) {
		do(t, h.Store, func(tx presence.Tx) (err error) {
			ended, err = tx.EndSessions(ada, except, presence.CauseForced, after(time.Minute))
			return err
		})
		slices.Sort(ended)
		return ended
	}
	if ended := end(303); !slices.Equal(ended, []presence.SessionID{301, 304}) {
		t.Errorf("all but 303: ended %v, want 301 and 304", ended)
	}
	live := get[map[presence.SessionID]presence.LiveSession](t)(h.Store.LiveSessions(t.Context(), noon))
	same(t, "live", live, map[presence.SessionID]presence.LiveSession{
		303: {User: ada, CreatedAt: noon}, 400: {User: bob, CreatedAt: noon},
	})
	if ended := end(0); !slices.Equal(ended, []presence.SessionID{303}) {
		t.Errorf("all: ended %v, want 303", ended)
	}
	if ended := end(0); len(ended) != 0 {
		t.Errorf("all again: ended %v", ended)
	}
	if one := session(t, h.Store, 304); one.EndCause != presence.CauseForced || !one.EndedAt.Equal(after(time.Minute)) {
		t.Errorf("ended as %v at %v", one.EndCause, one.EndedAt)
	}
}

func purge(t *testing.T, h *Harness) {
	id := person(t, h.Store, "ada")
	now := after(24 * time.Hour)
	past, future := now.Add(-time.Minute), now.Add(time.Minute)
	signIn(t, h.Store,
		presence.LoginSession{ID: 301, User: id, CreatedAt: noon, ExpiresAt: future},
		presence.LoginSession{ID: 302, User: id, CreatedAt: noon, ExpiresAt: past},
		presence.LoginSession{
			ID: 303, User: id, CreatedAt: noon, ExpiresAt: future, EndedAt: past,
			EndCause: presence.CauseLogout,
		})
	do(t, h.Store, func(tx presence.Tx) error {
		if err := tx.RevokeToken("old", id, past); err != nil {
			return err
		}
		if err := tx.AppendAudit(presence.AuditEntry{Action: "old", At: noon}); err != nil {
			return err
		}
		if err := tx.AppendActivity(presence.ActivityEntry{User: id, Action: "old", At: noon}); err != nil {
			return err
		}
		return tx.RevokeToken("young", id, future)
	})
	old := presence.Change{User: id, To: presence.Online, Cause: presence.CauseLogin, At: noon, Version: 1}
	young := presence.Change{User: id, From: presence.Online, Cause: presence.CauseLogout, At: now, Version: 2}
	if err := h.Store.RecordChanges(t.Context(), []presence.Change{old, young}); err != nil {
		t.Fatal(err)
	}
	if n := get[int](t)(h.Store.Purge(t.Context(), now, after(time.Hour))); n != 3 {
		t.Errorf("%d rows went, want a change, a session and a token", n)
	}
	_, err := h.Store.Session(t.Context(), 302)
	refused(t, "purged session", err, presence.NotFound, "")
	session(t, h.Store, 301)
	if kept := session(t, h.Store, 303); kept.EndedAt.IsZero() {
		t.Error("a session that was ended must go on refusing its tokens")
	}
	same(t, "tokens", []bool{revoked(t, h.Store, "old"), revoked(t, h.Store, "young")}, []bool{false, true})
	same(t, "history", get[[]presence.Change](t)(h.Store.History(t.Context(), id, time.Time{}, now.Add(time.Hour),
		10)), []presence.Change{young})
	_, lines, _ := h.Store.Audit(t.Context(), 0, 10)
	_, entries, _ := h.Store.Activity(t.Context(), id, 0, 10)
	if lines != 1 || entries != 1 {
		t.Errorf("%d audit lines and %d activities left, want one each", lines, entries)
	}
}
