package auth

import (
	"fmt"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// guesses makes a throttle with the defaults and a way to try: a failure, or a right password.
func guesses(cfg Throttle) (*throttle, func(name, ip string, at time.Duration, right bool) (time.Duration, bool)) {
	cfg.setDefaults()
	t := newThrottle(cfg)
	return t, func(name, ip string, at time.Duration, right bool) (time.Duration, bool) {
		now := testStart.Add(at)
		attempt, err := t.admit(name, ip, now)
		if err != nil {
			return err.(*presence.Error).RetryAfter, false
		}
		if right {
			attempt.free(now)
		} else {
			attempt.fail(now)
		}
		return 0, true
	}
}

func TestFourQuickFailuresThenTheRightPassword(t *testing.T) {
	_, try := guesses(Throttle{})
	for round := range 5 { // five mistakes of a client that repeats each four times within 8 s
		for i := range 4 {
			if _, ok := try("alice", "192.0.2.1", time.Duration(8*round+2*i)*time.Second, false); !ok {
				t.Fatalf("mistake %d, repeat %d is throttled", round, i)
			}
		}
	}
	if _, ok := try("alice", "192.0.2.1", 40*time.Second, true); !ok {
		t.Error("the right password after them is throttled")
	}
}

func TestGuessingIsSlowedToOneTryInSixSeconds(t *testing.T) {
	_, try := guesses(Throttle{})
	looked := 0
	for second := range 3600 {
		for range 3 {
			if _, ok := try("alice", "192.0.2.1", time.Duration(second)*time.Second, false); ok {
				looked++
			}
		}
	}
	if looked < 600 || looked > 20+600 {
		t.Errorf("%d of 10,800 guesses in an hour were looked at", looked)
	}
	wait, ok := try("alice", "192.0.2.1", time.Hour, false)
	if ok {
		wait, ok = try("alice", "192.0.2.1", time.Hour, false)
	}
	if ok || wait < time.Second || wait > 7*time.Second {
		t.Errorf("come back in %v (%v)", wait, ok)
	}
	if _, ok := try("alice", "192.0.2.1", time.Hour+wait, true); !ok {
		t.Errorf("came back after %v and is throttled still", wait)
	}
}

func TestManyTriesAtOnceAreNotMoreThanOneAfterTheOther(t *testing.T) {
	cfg := Throttle{}
	cfg.setDefaults()
	th := newThrottle(cfg)
	var under []try
	for range 1000 {
		if attempt, err := th.admit("alice", "192.0.2.1", testStart); err == nil {
			under = append(under, attempt)
		}
	}
	if len(under) != 20 {
		t.Fatalf("%d at once", len(under))
	}
	for _, attempt := range under {
		attempt.free(testStart)
	}
	if len(th.accounts) != 0 {
		t.Error("right passwords are remembered")
	}
}

func TestAStrangerLocksNobodyOut(t *testing.T) {
	_, try := guesses(Throttle{GlobalTries: 100, GlobalEvery: time.Hour})
	for i := range 5000 { // a botnet, at the owner's account, past the global bound
		try("alice", fmt.Sprintf("10.%d.%d.1", i/250, i%250), time.Duration(i)*time.Millisecond, false)
	}
	if _, ok := try("alice", "192.0.2.1", 5*time.Second, true); !ok {
		t.Error("alice, from her own network, is throttled")
	}
}

func TestSprayingIsThrottledPerNetworkAndGlobally(t *testing.T) {
	_, try := guesses(Throttle{})
	looked := 0
	for i := range 1000 {
		if _, ok := try(fmt.Sprint("user", i), fmt.Sprintf("198.51.100.%d", i%250), 0, false); ok {
			looked++
		}
	}
	if looked != 300 {
		t.Errorf("%d accounts from one network", looked)
	}
	if _, ok := try("somebody", "203.0.113.5", 0, true); !ok {
		t.Error("another network is throttled")
	}

	_, try = guesses(Throttle{GlobalTries: 100, GlobalEvery: time.Hour})
	looked = 0
	for i := range 2000 { // 20 networks, 100 accounts each
		if _, ok := try(fmt.Sprint("user", i), fmt.Sprintf("10.0.%d.1", i%20), 0, false); ok {
			looked++
		}
	}
	if looked > 20*5 {
		t.Errorf("%d accounts past the global bound", looked)
	}
	if _, ok := try("x", "203.0.113.5", time.Minute, true); !ok {
		t.Error("a network that did nothing is throttled")
	}
}

func TestTheThrottleIsNotEvadedBySpelling(t *testing.T) {
	_, try := guesses(Throttle{})
	names := []string{
		"alice", "ALICE", " alice ", "alice\u200b", "\u202ealice", "ａｌｉｃｅ", "alic\u0065", "a\u0301lice", "\ufeffAlice", "al\u00adice",
	}
	for i := range 20 {
		if _, ok := try(names[i%len(names)], fmt.Sprintf("192.0.2.%d", i), 0, false); !ok {
			t.Fatalf("try %d is throttled", i)
		}
	}
	for _, name := range names {
		if _, ok := try(name, "::ffff:192.0.2.200", 0, false); ok {
			t.Errorf("%q goes on", name)
		}
	}
	if _, ok := try("bob", "192.0.2.1", 0, false); !ok {
		t.Error("bob is throttled for alice")
	}
}

func TestNetworks(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.77": "192.0.2.0/24", "::ffff:192.0.2.77": "192.0.2.0/24", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64",
		"fe80::1%eth0": "fe80::/64", "": "invalid Prefix", "unix socket": "invalid Prefix", "127.0.0.1": "127.0.0.0/24",
	} {
		if got := networkOf(ip).String(); got != want {
			t.Errorf("%q: %s, want %s", ip, got, want)
		}
	}
}

func TestTheThrottleRemembersABoundedNumber(t *testing.T) {
	th, try := guesses(Throttle{Remembered: 100})
	for i := range 10_000 {
		try(fmt.Sprint("user", i), fmt.Sprintf("10.%d.%d.1", i/250, i%250), 0, false)
	}
	if len(th.accounts) > 100 || len(th.networks) > 100 {
		t.Errorf("%d accounts, %d networks", len(th.accounts), len(th.networks))
	}
	th.sweep(testStart.Add(24 * time.Hour))
	if len(th.accounts) != 0 || len(th.networks) != 0 {
		t.Errorf("a day later %d accounts, %d networks", len(th.accounts), len(th.networks))
	}
}

func TestLoginsAreThrottledBeforeTheHash(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	for range 20 {
		_, _, err := w.Login(t.Context(), "alice", "wrong-pass", home)
		wantError(t, err, presence.Unauthenticated, CodeBadCredentials)
	}
	runs := w.count.HashRuns.Load()
	_, _, err := w.Login(t.Context(), "alice", goodPassword, home)
	wantError(t, err, presence.Throttled, "")
	if w.count.HashRuns.Load() != runs {
		t.Error("the password was looked at")
	}
	if _, _, err := w.Login(t.Context(), "alice", goodPassword, presence.Origin{IP: "203.0.113.9"}); err != nil {
		t.Errorf("alice from elsewhere: %v", err)
	}
	w.clock.pass(6 * time.Second)
	if _, _, err := w.Login(t.Context(), "alice", goodPassword, home); err != nil {
		t.Errorf("alice a little later: %v", err)
	}
}

func TestSuccessfulLoginsAreNeverThrottled(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	for i := range 50 {
		if _, _, err := w.Login(t.Context(), "alice", goodPassword, home); err != nil {
			t.Fatalf("login %d: %v", i, err)
		}
	}
}
