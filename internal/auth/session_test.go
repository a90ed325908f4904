package auth

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
)

func TestTheAccountsReasonComesBeforeTheSessions(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*presence.Account)
		kind   presence.ErrorKind
		code   string
	}{
		"gone":      {func(a *presence.Account) { a.DeletedAt, a.Active = testStart, false }, presence.Unauthenticated, CodeUserNotFound},
		"closed":    {func(a *presence.Account) { a.Active, a.Status = false, presence.AccountBanned }, presence.Unauthenticated, CodeUserInactive},
		"pending":   {func(a *presence.Account) { a.Status = presence.AccountPending }, presence.Forbidden, CodeAccountInactive},
		"suspended": {func(a *presence.Account) { a.Status = presence.AccountSuspended }, presence.Forbidden, CodeAccountInactive},
		"banned":    {func(a *presence.Account) { a.Status = presence.AccountBanned }, presence.Forbidden, CodeAccountInactive},
		"fine":      {func(*presence.Account) {}, presence.Unauthenticated, CodeTokenInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.user("alice")
			id, tokens := w.login("alice")
			w.durable(func(tx presence.Tx) error { return tx.EndSession(id.Session, presence.CauseForced, testStart) })
			w.cache.end(a.ID, id.Session)
			w.change(a.ID, c.change)
			_, err := w.auth(tokens.Access)
			wantError(t, err, c.kind, c.code)
			_, err = w.Refresh(t.Context(), tokens.Refresh, home)
			if presence.KindOf(err) != presence.Unauthenticated {
				t.Errorf("refresh: %v", err)
			}
			if err := w.Verify(t.Context(), tokens.Access); presence.KindOf(err) != presence.Unauthenticated {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

func TestASessionIsReadFromTheStoreOnceAndThenNoMore(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	restarted := newWorld(t, func(c *Config) { c.Store = w.store })
	for range 100 {
		if _, err := restarted.auth(tokens.Access); err != nil {
			t.Fatal(err)
		}
	}
	if n := restarted.count.SessionLoads.Load(); n != 1 {
		t.Errorf("%d reads", n)
	}
}

func TestCallersOfOneSessionShareARead(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	_, tokens := w.login("alice")
	store := w.store
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Store = store })
		store.onSession = func() { time.Sleep(time.Second) }
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if _, err := w.auth(tokens.Access); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if n := w.count.SessionLoads.Load(); n != 1 {
			t.Errorf("%d reads", n)
		}
	})
}

func TestAnUnknownSessionIsRefusedAndNotRemembered(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	_, tokens := w.login("alice")
	restored := newWorld(t) // from a backup made before the login
	restored.user("alice")
	_, err := restored.auth(tokens.Access)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
	empty := newWorld(t)
	_, err = empty.auth(tokens.Access)
	wantError(t, err, presence.Unauthenticated, CodeUserNotFound)
	if n := restored.CachedSessions() + empty.CachedSessions(); n != 0 {
		t.Errorf("%d sessions remembered", n)
	}

	// A session of another user, under this one's name.
	w.user("bob")
	bobs, _ := w.login("bob")
	stolen, err := w.issue(a.ID, bobs.Session, testStart, testStart.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.auth(stolen.Access)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
}

// A read of the store that began before a logout must not put the session back after it.
func TestASlowReadCannotBringAnEndedSessionBack(t *testing.T) {
	for name, end := range map[string]func(*world, Identity) error{
		"logout": func(w *world, id Identity) error { return w.Logout(context.Background(), id, "", home) },
		"force logout": func(w *world, id Identity) error {
			_, err := w.ForceLogout(context.Background(), System, id.User, home)
			return err
		},
		"suspend": func(w *world, id Identity) error {
			_, err := w.Suspend(context.Background(), System, id.User, "", home)
			return err
		},
		"delete": func(w *world, id Identity) error {
			_, err := w.Delete(context.Background(), System, id.User, true, home)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.user("alice")
			id, tokens := w.login("alice")
			w.Service.cache = newCache(1 << 10) // as after a restart
			reading, goOn := make(chan struct{}), make(chan struct{})
			var once sync.Once
			w.store.onSession = func() { once.Do(func() { close(reading); <-goOn }) }
			early := make(chan error, 1)
			go func() { _, err := w.auth(tokens.Access); early <- err }()
			<-reading // it has read the live row, and hangs
			if err := end(w, id); err != nil {
				t.Fatal(err)
			}
			late := make(chan error, 1)
			go func() { _, err := w.auth(tokens.Access); late <- err }() // joins the hanging read
			close(goOn)
			if err := <-late; err == nil {
				t.Error("accepted after the ack")
			}
			<-early
			if _, err := w.auth(tokens.Access); err == nil {
				t.Error("put back")
			}
		})
	}
}

// A login whose row was ended before the login came to put its session into memory.
func TestALoginThatWasEndedOnTheWayIsOut(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	var before atomic.Bool
	w.store.committed = func() {
		if before.Swap(true) {
			return
		}
		if _, err := w.ForceLogout(context.Background(), System, a.ID, home); err != nil {
			t.Error(err)
		}
	}
	_, tokens, err := w.Login(t.Context(), "alice", goodPassword, home)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.auth(tokens.Access)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
}

func TestASessionIsFoundOnlyUnderItsOwnUser(t *testing.T) {
	c := newCache(1 << 10)
	stranger := presence.UserID(2)
	for c.shard(stranger) != c.shard(1) {
		stranger++
	}
	row := presence.LoginSession{ID: 4711, User: 1, CreatedAt: testStart, ExpiresAt: testStart.Add(time.Hour)}
	c.keep(c.generation(1), &view{}, &row, testStart)
	if one, _ := c.get(1, 4711, testStart); one == nil {
		t.Error("not found by its user")
	}
	if one, _ := c.get(stranger, 4711, testStart); one != nil {
		t.Error("found by a stranger")
	}
	c.end(stranger, 4711)
	if one, v := c.get(1, 4711, testStart); one.over(v, testStart) {
		t.Error("ended by a stranger")
	}
}

func TestADemotedAdminIsNoAdminAtOnce(t *testing.T) {
	w := newWorld(t)
	w.user("root", anAdmin)
	a := w.user("alice", anAdmin)
	id, tokens := w.login("alice")
	if !id.IsAdmin() || !id.MayRead() {
		t.Fatal("not an admin at first")
	}
	role := presence.RoleModerator
	if _, err := w.Update(t.Context(), System, a.ID, Patch{Role: &role}, home); err != nil {
		t.Fatal(err)
	}
	now, err := w.auth(tokens.Access)
	if err != nil || now.IsAdmin() || !now.MayRead() {
		t.Errorf("admin %v, may read %v, %v", now.IsAdmin(), now.MayRead(), err)
	}
	// The identity from before is asked again inside the act.
	_, err = w.Suspend(t.Context(), id, 1, "", home)
	wantError(t, err, presence.Forbidden, CodeNotAllowed)
}

func TestTheCacheIsBounded(t *testing.T) {
	c := newCache(cacheShards * 4)
	now := testStart
	for i := range 100_000 {
		row := presence.LoginSession{ID: presence.SessionID(1000 + i), User: presence.UserID(i%500 + 1), CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
		c.keep(c.generation(row.User), &view{}, &row, now)
	}
	accounts := 0
	for i := range c.shards {
		sh := &c.shards[i]
		accounts += len(sh.accounts)
		refs := 0
		for _, a := range sh.accounts {
			refs += a.refs
		}
		if refs != len(sh.sessions) || len(sh.sessions) > 4 {
			t.Fatalf("shard %d: %d sessions, %d references", i, len(sh.sessions), refs)
		}
	}
	if n := c.size(); n > cacheShards*4 || accounts > n {
		t.Errorf("%d sessions, %d accounts", n, accounts)
	}
	c.sweep(now.Add(2 * time.Hour))
	if n := c.size(); n != 0 {
		t.Errorf("%d sessions after they ran out", n)
	}
}

func TestEndedSessionsGoFirst(t *testing.T) {
	c := newCache(cacheShards * 2)
	keep := func(id presence.SessionID, at time.Time) {
		row := presence.LoginSession{ID: id, User: 1, CreatedAt: at, ExpiresAt: testStart.Add(time.Hour)}
		c.keep(c.generation(1), &view{}, &row, at)
	}
	keep(1000, testStart)
	keep(1001, testStart.Add(time.Minute))
	c.end(1, 1001)
	keep(1002, testStart.Add(2*time.Minute))
	if one, _ := c.get(1, 1000, testStart); one == nil {
		t.Error("a live session went before an ended one")
	}
	keep(1003, testStart.Add(3*time.Minute))
	if one, _ := c.get(1, 1000, testStart); one != nil {
		t.Error("the least recently used one stayed")
	}
}

func TestRunSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.user("alice")
		id, _ := w.login("alice")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		if err := w.Logout(t.Context(), id, "", home); err != nil {
			t.Fatal(err)
		}
		if n := w.CachedSessions(); n != 1 {
			t.Fatalf("%d sessions", n)
		}
		time.Sleep(sweepEvery + time.Second)
		synctest.Wait()
		if n := w.CachedSessions(); n != 0 {
			t.Errorf("%d sessions", n)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// F17: after Logout returned, no check of that session succeeds.
func TestLogoutRacingHeartbeats(t *testing.T) {
	races := 300
	if testing.Short() {
		races = 50
	}
	w := newWorld(t)
	w.user("alice")
	for race := range races {
		id, tokens := w.login("alice")
		if race%2 == 0 {
			w.cache.sweep(testStart.Add(240 * time.Hour)) // half of the races begin without it in memory
		}
		var out atomic.Bool
		var beats sync.WaitGroup
		for range 8 {
			beats.Go(func() {
				for refused := 0; refused < 3; {
					wasOut := out.Load()
					_, err := w.auth(tokens.Access)
					switch {
					case err != nil:
						refused++
					case wasOut:
						t.Error("a beat was taken after the logout")
						return
					}
				}
			})
		}
		if err := w.Logout(t.Context(), id, tokens.Refresh, home); err != nil {
			t.Fatal(err)
		}
		out.Store(true)
		beats.Wait()
		if !w.presence.isClosed(id.Session) {
			t.Fatal("presence was not told")
		}
	}
}

// F19: after ForceLogout returned, no token that is older than the act works, however it was come by.
func TestForceLogoutRacingRefreshLoginAndBeats(t *testing.T) {
	races := 200
	if testing.Short() {
		races = 30
	}
	w := newWorld(t)
	a := w.user("alice")
	for range races {
		w.clock.pass(2 * time.Minute) // so that refreshes write
		_, tokens := w.login("alice")
		var out atomic.Bool
		var group sync.WaitGroup
		pairs := make(chan Tokens, 64)
		for range 3 {
			group.Go(func() {
				for range 4 {
					wasOut := out.Load()
					pair, err := w.Refresh(context.Background(), tokens.Refresh, home)
					if err == nil {
						if wasOut {
							t.Error("a refresh was taken after the ack")
						}
						pairs <- pair
					}
				}
			})
		}
		for range 2 {
			group.Go(func() {
				wasOut := out.Load()
				_, pair, err := w.Login(context.Background(), "alice", goodPassword, home)
				if err == nil && !wasOut {
					pairs <- pair // it may be of after the act: judged by its row below
				}
			})
		}
		if _, err := w.ForceLogout(t.Context(), System, a.ID, home); err != nil {
			t.Fatal(err)
		}
		out.Store(true)
		rows := w.data().sessions
		if _, err := w.auth(tokens.Access); err == nil {
			t.Error("the first token works after the ack")
		}
		group.Wait()
		close(pairs)
		for pair := range pairs {
			c, _ := w.keys.readOwn(pair.Access)
			row, before := rows[c.session]
			_, err := w.auth(pair.Access)
			if before && !row.EndedAt.IsZero() && err == nil {
				t.Error("a pair of an ended session works")
			}
		}
	}
}

// A suspension at the moment of a login leaves no session that works.
func TestSuspendRacingLogins(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	for range 100 {
		var group sync.WaitGroup
		pairs := make(chan Tokens, 8)
		for range 4 {
			group.Go(func() {
				if _, pair, err := w.Login(context.Background(), "alice", goodPassword, home); err == nil {
					pairs <- pair
				}
			})
		}
		if _, err := w.Suspend(t.Context(), System, a.ID, "", home); err != nil {
			t.Fatal(err)
		}
		group.Wait()
		close(pairs)
		if _, err := w.Activate(t.Context(), System, a.ID, home); err != nil {
			t.Fatal(err)
		}
		for pair := range pairs {
			if _, err := w.auth(pair.Access); err == nil {
				t.Error("a session survived the suspension")
			}
		}
	}
}

func TestAnActTakesEffectThoughItsCallerGaveUp(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	id, tokens := w.login("alice")
	goOn := make(chan struct{})
	w.store.onDurable = func() { <-goOn }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantError(t, w.Logout(ctx, id, "", home), presence.Unavailable, "")
	close(goOn)
	w.Close()
	_, err := w.auth(tokens.Access)
	wantError(t, err, presence.Unauthenticated, CodeTokenInvalid)
}

func TestASlowDiskIsToldToTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.user("alice")
		w.store.onDurable = func() { time.Sleep(time.Minute) }
		start := time.Now()
		_, _, err := w.Login(t.Context(), "alice", goodPassword, home)
		wantError(t, err, presence.Unavailable, "")
		if waited := time.Since(start); waited != 5*time.Second {
			t.Errorf("waited %v", waited)
		}
		w.Close()
	})
}

func TestAFailedActChangesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	_, tokens := w.login("alice")
	broken := errors.New("disk")
	w.Service.store = failingStore{w.store, broken}
	_, err := w.Suspend(t.Context(), System, a.ID, "", home)
	if !errors.Is(err, broken) || presence.KindOf(err) != presence.Internal {
		t.Errorf("%v", err)
	}
	if _, err := w.auth(tokens.Access); err != nil {
		t.Errorf("the session went all the same: %v", err)
	}
	if sig := w.presence.last(); sig.Kind != presence.Login {
		t.Errorf("presence heard %v", sig.Kind)
	}
}

type failingStore struct {
	*fakeStore
	err error
}

func (f failingStore) Durable(context.Context, func(presence.Tx) error) error { return f.err }

func TestCheckingFromManyGoroutines(t *testing.T) {
	w := newWorld(t)
	tokens := make([]string, 20)
	for i := range tokens {
		w.user(fmt.Sprint("user", i))
		_, pair := w.login(fmt.Sprint("user", i))
		tokens[i] = pair.Access
	}
	var group sync.WaitGroup
	for g := range 8 {
		group.Go(func() {
			for i := range 500 {
				n := (i + g) % len(tokens)
				id, err := w.auth(tokens[n])
				if err != nil || id.User != presence.UserID(n+1) {
					t.Errorf("%v, %v", id, err)
				}
				if i%100 == 0 {
					w.cache.sweep(testStart.Add(240 * time.Hour))
					w.cache.changed(id.User)
				}
			}
		})
	}
	group.Wait()
}
