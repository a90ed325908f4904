package tracker

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/memory"
)

// accounts is a directory of accounts that counts how often it is asked.
type accounts struct {
	mu    sync.Mutex
	all   map[presence.UserID]presence.Account
	asked int
}

func (a *accounts) AccountsByID(_ context.Context, ids []presence.UserID) (found []presence.Account, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked++
	for _, id := range ids {
		if one, ok := a.all[id]; ok {
			found = append(found, one)
		}
	}
	return found, nil
}

func (a *accounts) set(id presence.UserID, status presence.AccountStatus) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.all[id] = presence.Account{ID: id, Status: status, Active: true}
}

type touchWorld struct {
	*Toucher
	t        *testing.T
	engine   *memory.Engine
	accounts *accounts
	signals  int
}

// touching runs a test in virtual time with users 7 and 8 active, 9 banned, and nobody else.
func touching(t *testing.T, f func(w *touchWorld)) {
	synctest.Test(t, func(t *testing.T) {
		engine := memory.New(presence.Policy{OfflineAfter: 2 * time.Minute, LeaveGrace: 10 * time.Second, HeartbeatInterval: 30 * time.Second})
		running := make(chan struct{})
		go func() {
			defer close(running)
			_ = engine.Run(t.Context())
		}()
		t.Cleanup(func() { <-running })
		synctest.Wait()
		w := &touchWorld{t: t, engine: engine, accounts: &accounts{all: map[presence.UserID]presence.Account{}}}
		w.accounts.set(7, presence.AccountActive)
		w.accounts.set(8, presence.AccountActive)
		w.accounts.set(9, presence.AccountBanned)
		w.Toucher = NewToucher(New(Config{Engine: engine}), w.accounts)
		signal := w.signal
		w.signal = func(ctx context.Context, s presence.Signal) (presence.Presence, error) {
			w.signals++
			return signal(ctx, s)
		}
		f(w)
	})
}

func (w *touchWorld) touch(source string, users ...presence.UserID) []Standing {
	w.t.Helper()
	standings, err := w.Touch(w.t.Context(), users, source, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return standings
}

func (w *touchWorld) status(user presence.UserID) presence.Presence {
	w.t.Helper()
	states, err := w.engine.State(w.t.Context(), []presence.UserID{user})
	if err != nil {
		w.t.Fatal(err)
	}
	return states[0]
}

func TestATouchIsASignOfLife(t *testing.T) {
	touching(t, func(w *touchWorld) {
		got := w.touch("app", 7, 8, 9, 10)
		if want := []Standing{Good, Good, Closed, Unknown}; !slices.Equal(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
		if p := w.status(7); p.Status != presence.Online || p.Cause != presence.CauseTouch {
			t.Errorf("%+v", p)
		}
		if p := w.status(9); p.Status != presence.Offline {
			t.Errorf("a banned account: %+v", p)
		}
		time.Sleep(2*time.Minute + time.Second)
		if p := w.status(7); p.Status != presence.Offline || p.Cause != presence.CauseTimeout {
			t.Errorf("after silence: %+v", p)
		}
	})
}

func TestTouchesWithinFiveSecondsAreOne(t *testing.T) {
	touching(t, func(w *touchWorld) {
		for range 50 { // 5 s, ten a second, from two sources
			w.touch("app", 7)
			w.touch("web", 7)
			time.Sleep(100 * time.Millisecond)
		}
		if w.signals != 1 || w.accounts.asked != 1 {
			t.Errorf("%d signals and %d questions about the account, want 1 and 1", w.signals, w.accounts.asked)
		}
		w.touch("app", 7)
		if w.signals != 2 {
			t.Errorf("%d signals after 5 s, want 2", w.signals)
		}
		if s := w.Stats(); s.Passed != 2 || s.Coalesced != 99 {
			t.Errorf("%+v", s)
		}
	})
}

func TestEachSourceIsADevice(t *testing.T) {
	touching(t, func(w *touchWorld) {
		w.touch("app", 7)
		time.Sleep(5 * time.Second)
		w.touch("web", 7)
		state, _, err := w.engine.Inspect(t.Context(), 7)
		if err != nil || len(state.Sessions) != 2 {
			t.Fatalf("%+v, %v", state, err)
		}
		var sources []string
		for _, one := range state.Sessions {
			source, ok := w.SourceOf(7, one.ID)
			if !ok {
				t.Errorf("session %s has no source", one.ID)
			}
			sources = append(sources, source)
		}
		slices.Sort(sources)
		if !slices.Equal(sources, []string{"app", "web"}) {
			t.Errorf("%v", sources)
		}
		if _, ok := w.SourceOf(7, 4711); ok {
			t.Error("a session of nobody has a source")
		}
	})
}

// Who was thrown out is not brought back by words that were under way, and is by a backend that goes on.
func TestATouchAfterAForcedLogout(t *testing.T) {
	touching(t, func(w *touchWorld) {
		w.touch("app", 7)
		_, err := w.engine.Signal(t.Context(), presence.Signal{User: 7, Session: presence.EverySession, Kind: presence.Forced, At: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		for range 6 { // the first word comes 5 s after the last, so the 30 s begin then
			time.Sleep(5 * time.Second)
			if got := w.touch("app", 7); got[0] != LoggedOut || w.status(7).Status != presence.Offline {
				t.Fatalf("%v, %+v", got, w.status(7))
			}
		}
		time.Sleep(5 * time.Second)
		if got := w.touch("app", 7); got[0] != Good || w.status(7).Status != presence.Online {
			t.Errorf("after half a minute: %v, %+v", got, w.status(7))
		}
		if w.signals != 2+1 {
			t.Errorf("%d signals", w.signals)
		}
	})
}

func TestABanIsHeardOfAtOnce(t *testing.T) {
	touching(t, func(w *touchWorld) {
		w.touch("app", 7)
		w.accounts.set(7, presence.AccountBanned)
		w.AccountChanged(7, presence.EverySession)
		if got := w.touch("app", 7); got[0] != Closed {
			t.Errorf("%v", got)
		}
		if p := w.status(7); p.Status != presence.Offline {
			t.Errorf("%+v", p)
		}
	})
}

// A word that is past the look at the account when the ban comes leaves nobody online, wherever the ban falls.
func TestAWordThatRacesABanLeavesNobodyOnline(t *testing.T) {
	for _, before := range []bool{true, false} {
		touching(t, func(w *touchWorld) {
			w.touch("app", 7)
			time.Sleep(6 * time.Second)
			ban := func() {
				w.accounts.set(7, presence.AccountBanned)
				_, _ = w.engine.Signal(t.Context(), presence.Signal{User: 7, Session: 4711, Kind: presence.Forced, At: time.Now()})
				w.AccountChanged(7, presence.EverySession)
			}
			signal, done := w.signal, false
			w.signal = func(ctx context.Context, s presence.Signal) (presence.Presence, error) {
				if before && !done {
					done = true
					ban()
				}
				p, err := signal(ctx, s)
				if !before && !done {
					done = true
					ban()
				}
				return p, err
			}
			w.touch("app", 7)
			if p := w.status(7); p.Status != presence.Offline {
				t.Errorf("ban before the signal %v: %+v", before, p)
			}
		})
	}
}

func TestAnAccountOfAnotherNodeIsLookedAtAgainEveryMinute(t *testing.T) {
	touching(t, func(w *touchWorld) {
		w.touch("app", 7)
		w.accounts.set(7, presence.AccountSuspended) // nobody tells us
		time.Sleep(time.Minute)
		if got := w.touch("app", 7); got[0] != Closed {
			t.Errorf("%v", got)
		}
	})
}

func TestWhoIsNotTouchedIsForgotten(t *testing.T) {
	touching(t, func(w *touchWorld) {
		for id := presence.UserID(1000); id < 3000; id++ {
			w.accounts.set(id, presence.AccountActive)
			w.touch("app", id)
		}
		time.Sleep(10 * time.Minute)
		for id := presence.UserID(1000); id < 3000; id += 10 {
			w.touch("app", id)
		}
		known := 0
		for i := range w.shards {
			known += len(w.shards[i].known)
		}
		if known > 300 {
			t.Errorf("%d people are remembered, 200 were touched", known)
		}
	})
}

func BenchmarkTouch1000(b *testing.B) {
	engine := memory.New(presence.Policy{OfflineAfter: 2 * time.Minute})
	people := &accounts{all: map[presence.UserID]presence.Account{}}
	ids := make([]presence.UserID, 1000)
	for i := range ids {
		ids[i] = presence.UserID(i + 1)
		people.set(ids[i], presence.AccountActive)
	}
	toucher := NewToucher(New(Config{Engine: engine}), people)
	at := time.Now()
	b.ReportAllocs()
	for b.Loop() {
		at = at.Add(touchEvery) // so that every word is passed on
		if _, err := toucher.Touch(b.Context(), ids, "app", at); err != nil {
			b.Fatal(err)
		}
	}
}
