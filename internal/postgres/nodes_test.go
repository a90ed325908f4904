package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/offchat/presence"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

var errRefused = errors.New("refused")

// nodes are two stores on one database.
func nodes(t *testing.T) [2]*Store {
	t.Helper()
	url := newDatabase(t)
	return [2]*Store{openAt(t, url, slow), openAt(t, url, slow)}
}

func account(name string) *presence.Account {
	return &presence.Account{Username: name, Email: name + "@example.org", Active: true, CreatedAt: noon}
}

func insert(t *testing.T, s *Store, a *presence.Account) presence.UserID {
	t.Helper()
	if err := s.Durable(t.Context(), func(tx presence.Tx) error { return tx.InsertAccount(a) }); err != nil {
		t.Fatal(err)
	}
	return a.ID
}

func admin(t *testing.T, s *Store, name string) presence.UserID {
	t.Helper()
	a := account(name)
	a.Role = presence.RoleAdmin
	return insert(t, s, a)
}

// atOnce runs acts on the two nodes at the same time and returns how each ended.
func atOnce(t *testing.T, on [2]*Store, acts ...func(tx presence.Tx) error) []error {
	t.Helper()
	results := make([]error, len(acts))
	var group sync.WaitGroup
	begin := make(chan struct{})
	for i, act := range acts {
		group.Go(func() {
			<-begin
			results[i] = on[i%2].Durable(context.Background(), act)
		})
	}
	close(begin)
	group.Wait()
	return results
}

// succeeded counts the acts that did, and fails the test for errors that no act gave on purpose.
func succeeded(t *testing.T, results []error) (n int) {
	t.Helper()
	for _, err := range results {
		switch {
		case err == nil:
			n++
		case !errors.Is(err, errRefused):
			t.Error(err)
		}
	}
	return n
}

func demote(id presence.UserID) func(tx presence.Tx) error {
	return func(tx presence.Tx) error {
		a, err := tx.Account(id)
		if err != nil {
			return err
		}
		others, err := tx.AdminsBesides(id)
		if err != nil {
			return err
		}
		if others == 0 {
			return errRefused
		}
		a.Role = presence.RoleUser
		return tx.UpdateAccount(&a)
	}
}

func TestTwoNodesNeverTakeTheLastAdminAway(t *testing.T) {
	on := nodes(t)
	for round := range 20 {
		ada, bob := admin(t, on[0], fmt.Sprint("ada", round)), admin(t, on[0], fmt.Sprint("bob", round))
		if n := succeeded(t, atOnce(t, on, demote(ada), demote(bob))); n != 1 {
			t.Fatalf("round %d: %d of the last two admins were demoted", round, n)
		}
		if has, err := on[1].HasAdmin(t.Context()); !has || err != nil {
			t.Fatalf("round %d: an admin is left: %v, %v", round, has, err)
		}
		for _, id := range []presence.UserID{ada, bob} {
			if err := on[0].Durable(t.Context(), func(tx presence.Tx) error { return tx.RemoveAccount(id) }); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestOfManyFirstAdminsOneIsMade(t *testing.T) {
	on := nodes(t)
	var acts []func(tx presence.Tx) error
	for i := range 10 {
		acts = append(acts, func(tx presence.Tx) error {
			if n, err := tx.AdminsBesides(0); err != nil || n > 0 {
				return errors.Join(err, errRefused)
			}
			a := account(fmt.Sprint("admin", i))
			a.Role = presence.RoleAdmin
			return tx.InsertAccount(a)
		})
	}
	if n := succeeded(t, atOnce(t, on, acts...)); n != 1 {
		t.Errorf("%d first admins", n)
	}
}

// ban is what an admin does to somebody else, as far as it matters here.
func ban(actor, target presence.UserID) func(tx presence.Tx) error {
	return func(tx presence.Tx) error {
		by, err := tx.Account(actor)
		if err != nil {
			return err
		}
		if !by.IsAdmin() || !by.MaySignIn() {
			return errRefused
		}
		a, err := tx.Account(target)
		if err != nil {
			return err
		}
		a.Status = presence.AccountBanned
		if err := tx.UpdateAccount(&a); err != nil {
			return err
		}
		_, err = tx.EndSessions(target, 0, presence.CauseForced, noon)
		return err
	}
}

func TestOfTwoAdminsWhoBanEachOtherOneIsFirst(t *testing.T) {
	on := nodes(t)
	for round := range 4 {
		ada, bob := admin(t, on[0], fmt.Sprint("ada", round)), admin(t, on[0], fmt.Sprint("bob", round))
		if n := succeeded(t, atOnce(t, on, ban(ada, bob), ban(bob, ada))); n != 1 {
			t.Fatalf("round %d: %d bans", round, n)
		}
	}
}

func login(user presence.UserID, session presence.SessionID) func(tx presence.Tx) error {
	return func(tx presence.Tx) error {
		a, err := tx.Account(user)
		if err != nil {
			return err
		}
		if !a.MaySignIn() {
			return errRefused
		}
		one := presence.LoginSession{ID: session, User: user, CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
		return errors.Join(tx.InsertSession(one),
			tx.AppendActivity(presence.ActivityEntry{User: user, Action: "login", At: noon}))
	}
}

func TestNoLoginSurvivesABanOnAnotherNode(t *testing.T) {
	on := nodes(t)
	root := admin(t, on[0], "root")
	for round := range 20 {
		user, first := insert(t, on[0], account(fmt.Sprint("user", round))), presence.SessionID(1000+10*round)
		results := atOnce(t, on, login(user, first), ban(root, user), login(user, first+1), login(user, first+2))
		succeeded(t, results)
		if results[1] != nil {
			t.Fatal(results[1])
		}
		live, err := on[1].LiveSessions(t.Context(), noon)
		if len(live) != 0 || err != nil {
			t.Fatalf("round %d: live after the ban: %v, %v", round, live, err)
		}
	}
}

func refresh(session presence.SessionID) func(tx presence.Tx) error {
	return func(tx presence.Tx) error {
		row, err := tx.Session(session)
		if err != nil {
			return err
		}
		a, err := tx.Account(row.User)
		if err != nil {
			return err
		}
		if row.Ended(noon) || !a.MaySignIn() {
			return errRefused
		}
		return tx.ExtendSession(session, noon.Add(24*time.Hour))
	}
}

func TestARefreshDoesNotBringBackWhatAnotherNodeEnds(t *testing.T) {
	on := nodes(t)
	root := admin(t, on[0], "root")
	for round := range 20 {
		user, sid := insert(t, on[0], account(fmt.Sprint("user", round))), presence.SessionID(1000+round)
		if err := on[0].Durable(t.Context(), login(user, sid)); err != nil {
			t.Fatal(err)
		}
		succeeded(t, atOnce(t, on, refresh(sid), ban(root, user), refresh(sid)))
		if one, err := on[0].Session(t.Context(), sid); one.EndedAt.IsZero() || err != nil {
			t.Fatalf("round %d: session %+v, %v", round, one, err)
		}
	}
	if stats := on[0].Stats(); stats.Reruns != 0 {
		t.Errorf("%d acts collided: a refresh and a ban take their locks in different orders", stats.Reruns)
	}
}

func TestATokenIsSpentOnce(t *testing.T) {
	on := nodes(t)
	user := insert(t, on[0], account("ada"))
	for round := range 10 {
		jti := fmt.Sprint("token", round)
		spend := func(tx presence.Tx) error {
			if revoked, err := tx.TokenRevoked(jti); err != nil || revoked {
				return errors.Join(err, errRefused)
			}
			return tx.RevokeToken(jti, user, noon)
		}
		if n := succeeded(t, atOnce(t, on, spend, spend, spend, spend, spend, spend)); n != 1 {
			t.Fatalf("round %d: spent %d times", round, n)
		}
	}
}

func TestANameThatIsTakenMeanwhileIsAConflict(t *testing.T) {
	on := nodes(t)
	for round := range 10 {
		var acts []func(tx presence.Tx) error
		var conflicts atomic.Int32
		name := fmt.Sprint("wanted", round)
		for i := range 6 {
			a := account(fmt.Sprintf("user%d-%d", round, i))
			insert(t, on[0], a)
			renamed := *a
			renamed.Username = name
			acts = append(acts, func(tx presence.Tx) error {
				err := tx.UpdateAccount(&renamed)
				if presence.KindOf(err) == presence.Conflict {
					conflicts.Add(1)
					return errors.Join(errRefused, err)
				}
				return err
			})
		}
		if n := succeeded(t, atOnce(t, on, acts...)); n != 1 || conflicts.Load() != 5 {
			t.Fatalf("round %d: %d got the name, %d were told that it is taken", round, n, conflicts.Load())
		}
	}
}

func TestNodesThatRecordTheSamePeopleDoNotMind(t *testing.T) {
	on := nodes(t)
	const people, versions = 300, 5
	var ids []presence.UserID
	for i := range people {
		ids = append(ids, insert(t, on[0], account(fmt.Sprint("user", i))))
	}
	backwards := slices.Clone(ids)
	slices.Reverse(backwards)
	var group sync.WaitGroup
	for i, order := range [][]presence.UserID{ids, backwards, backwards, ids} {
		group.Go(func() {
			for v := range uint64(versions) {
				at := noon.Add(time.Duration(v) * time.Second)
				var changes []presence.Change
				var seen []presence.Seen
				for _, id := range order {
					changes = append(changes, presence.Change{
						User: id, From: presence.Status(v % 3), To: presence.Status((v + 1) % 3), Cause: presence.CauseIdle, At: at, LastSeen: at, Version: v + 1,
					})
					seen = append(seen, presence.Seen{User: id, At: at.Add(time.Minute)})
				}
				if err := errors.Join(on[i%2].RecordChanges(t.Context(), changes), on[i%2].RecordSeen(t.Context(), seen)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Go(func() { // acts on the same rows
		for _, id := range ids[:50] {
			if err := on[0].Durable(t.Context(), func(tx presence.Tx) error {
				a, err := tx.Account(id)
				if err != nil {
					return err
				}
				a.Bio = "changed"
				return tx.UpdateAccount(&a)
			}); err != nil {
				t.Error(err)
			}
		}
	})
	group.Wait()
	last := noon.Add((versions - 1) * time.Second)
	for p, err := range on[0].Records(t.Context()) {
		want := presence.Presence{
			User: p.User, Status: presence.Status(versions % 3), Cause: presence.CauseIdle, Since: last, LastSeen: last.Add(time.Minute), Version: versions,
		}
		if err != nil || p != want {
			t.Fatalf("%+v, %v; want %+v", p, err, want)
		}
	}
	for _, id := range []presence.UserID{ids[0], ids[people-1]} {
		if h, err := on[1].History(t.Context(), id, noon, noon.Add(time.Hour), 0); len(h) != versions || err != nil {
			t.Errorf("history of %d: %v, %v", id, h, err)
		}
	}
	if n := on[0].Stats().Reruns + on[1].Stats().Reruns; n != 0 {
		t.Errorf("%d batches or acts collided: they take their locks in different orders", n)
	}
}

// TestManyChangesAtOnceAreCopied: more than one statement takes, one of which cannot be.
func TestManyChangesAtOnceAreCopied(t *testing.T) {
	s := openNew(t)
	id := insert(t, s, account("ada"))
	changes := make([]presence.Change, batchRows+500)
	for i := range changes {
		at := noon.Add(time.Duration(i) * time.Second)
		changes[i] = presence.Change{
			Seq: uint64(i), User: id, From: presence.Offline, To: presence.Away, Cause: presence.CauseIdle, At: at, LastSeen: at, Version: uint64(i + 1),
		}
	}
	changes[7].User = 4711 // gone
	bad := slices.Clone(changes)
	bad[3].To = presence.Status(99)
	if err := s.RecordChanges(t.Context(), bad); err == nil {
		t.Error("a status that does not exist was recorded")
	}
	if h, err := s.History(t.Context(), id, time.Time{}, noon.Add(1000*time.Hour), 0); len(h) != 0 || err != nil {
		t.Errorf("%d changes of those that failed, %v", len(h), err)
	}
	for range 2 { // the second time changes nothing
		if err := s.RecordChanges(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		h, err := s.History(t.Context(), id, time.Time{}, noon.Add(1000*time.Hour), 0)
		if len(h) != len(changes)-1 || err != nil || h[len(h)-1] != changes[len(changes)-1] {
			t.Fatalf("%d changes, %v", len(h), err)
		}
	}
	a, err := s.Account(t.Context(), id)
	if want := changes[len(changes)-1]; a.Version != want.Version || a.LastSeen != want.LastSeen || err != nil {
		t.Errorf("%+v, %v", a, err)
	}
}

// TestRecordsComeInPieces: a piece ends where it has recordRows, and nobody is left out or told twice.
func TestRecordsComeInPieces(t *testing.T) {
	s := openNew(t)
	for _, people := range []int{recordRows, recordRows + 1} {
		if _, err := s.pool.Exec(t.Context(), `INSERT INTO users (username, email)
			SELECT 'user' || n, 'user' || n FROM generate_series((SELECT count(*) + 1 FROM users), $1) AS n`, people); err != nil {
			t.Fatal(err)
		}
		last := presence.UserID(0)
		n := 0
		for p, err := range s.Records(t.Context()) {
			if err != nil || p.User <= last {
				t.Fatalf("%d after %d, %v", p.User, last, err)
			}
			last = p.User
			n++
		}
		if n != people {
			t.Errorf("%d records of %d people", n, people)
		}
	}
}

func TestCountsStayRightWhileNodesSumThemUp(t *testing.T) {
	on := nodes(t)
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for n := range 15 {
				a := account(fmt.Sprintf("user%d-%d", i, n))
				err := on[i%2].Durable(t.Context(), func(tx presence.Tx) error {
					if err := tx.InsertAccount(a); err != nil {
						return err
					}
					a.Status = presence.AccountStatus(n % 4)
					return tx.UpdateAccount(a)
				})
				_, purging := on[i%2].Purge(t.Context(), noon, noon)
				if err := errors.Join(err, purging); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	by, total, err := on[0].AccountCounts(t.Context())
	want := map[presence.AccountStatus]int{0: 16, 1: 16, 2: 16, 3: 12}
	if total != 60 || err != nil || len(by) != 4 || by[0] != want[0] || by[3] != want[3] {
		t.Errorf("%v, total %d, %v; want %v", by, total, err, want)
	}
	var lines int
	if _, err := on[0].Purge(t.Context(), noon, noon); err != nil {
		t.Fatal(err)
	}
	if err := on[0].pool.QueryRow(t.Context(), `SELECT count(*) FROM user_counts`).Scan(&lines); err != nil || lines != 4 {
		t.Errorf("%d lines of counts after a purge, %v", lines, err)
	}
}
