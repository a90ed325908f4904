package auth

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/offchat/presence"
)

const djangoPassword = "Grüße, Welt 1"

// Made by Django 3.2 with argon2-cffi 21.1 and bcrypt 3.2, and by Python's hashlib for scrypt as Django 4.2
// and 5.1 call it.
var djangoHashes = map[string]string{
	"pbkdf2_sha256":           "pbkdf2_sha256$1000$bm2hxCBSEzcWOFKdikHZTi$HLu+z7a1z/vT4CvfiSO95zFKIyajUQzP90LI0vxXttA=",
	"pbkdf2_sha256 by 3.2":    "pbkdf2_sha256$260000$L6raNvoCcC7UQlJhaScRhR$8MkSGbLo8kCzjCBeSU8j1Kci+luNx8LB+0B8+4DlxLU=",
	"pbkdf2_sha1":             "pbkdf2_sha1$260000$OsMsdGmqFWEgzvJTAIS65J$yMbwCHOA/ezme7aeP01YEy/VmpI=",
	"argon2, small":           "argon2$argon2id$v=19$m=64,t=2,p=2$Z3doUTRaVnZUanJuYlZzc1RNRkZwVg$qm7ttQ+gl4rCwgaJ0vwwhw",
	"argon2 as Django's":      "argon2$argon2id$v=19$m=102400,t=2,p=8$SWx2aTJGSmRES0xxd0JodTBBWEJrQw$EeLxbqO1IVpKeE6TojJt2Q",
	"bcrypt":                  "bcrypt$$2b$05$Eq4rZ.4aAV5Ay0NNR6r2E.WDTBa8Gzc6hT3yHQaG4GlBlL12/2XC2",
	"bcrypt, long password":   "bcrypt$$2b$05$.H2CA5DihQFiJ5VzYBdJku2bkAsf4MdiYe4Sd5wihTuB9EVGBx6k.",
	"bcrypt_sha256":           "bcrypt_sha256$$2b$05$e.MSRJwAqSrwkktTTwmEh.bWfa2z0wDbFSKK8ip/eWUZlB/U/T4Da",
	"bcrypt_sha256, long":     "bcrypt_sha256$$2b$05$mmVgDnEi9v1c4U8WWBPJ5.32OcwI0OIC3zTDYVQFJLPkCXZ7GXise",
	"scrypt by 4.2":           "scrypt$16384$seasaltseasaltseasalt1$8$1$majvH21XTwGQNHkSvfzfO0Fu9I0xt1x7iBUwoaTMLShVogllvlIzFtMA3C/v5eYeKmP4oygu7ufUlyD+Ff8hGQ==",
	"scrypt by 5.1":           "scrypt$16384$seasaltseasaltseasalt1$8$5$oUgqPdA5UIkROtuizv2WK7Z/mLOlnU2UEOrwt20VKI1RL/RroIcl4MX9gu7yhnAkfr6rBIWbQM42IXVC5pQMqg==",
	"scrypt, small, one more": "scrypt$16$seasalt$8$1$LdyKLP43F4hEzXIBSKepf2pqhxNpBItvYhu0fr1HCjmvuVuSI/yqyRA2nAWEZOBVOlkS6yL2TFJZCEwWXvsOnA==",
}

func TestDjangosHashesVerify(t *testing.T) {
	for name, text := range djangoHashes {
		t.Run(name, func(t *testing.T) {
			password := djangoPassword
			if strings.Contains(name, "long") {
				password = strings.Repeat("x", 100)
			}
			check, err := parseHash(text)
			if err != nil {
				t.Fatal(err)
			}
			if !check(password) {
				t.Error("the right password does not fit")
			}
			if check("y" + password) {
				t.Error("a wrong password fits")
			}
		})
	}
}

func TestHashesThatAreBrokenOrAskTooMuchAreNotRun(t *testing.T) {
	salt, key := "c2FsdHNhbHQ", "YC9+jJCrQhs5R6db7LlN8Q"
	good := djangoHashes["pbkdf2_sha256"]
	for _, text := range []string{
		"", "!", "!unusable", "$", "plain", "md5$salt$3f86d0d3d465b7b458c231bf3555c0e3", "sha1$salt$cff36ea83f5706ce9aa7454e63e431fc726b2dc8",
		"pbkdf2_sha256", "pbkdf2_sha256$1000$$x", good + "$", good[:len(good)-4], good + "AAAA", strings.Repeat("x", 600),
		strings.Replace(good, "$1000$", "$0$", 1), strings.Replace(good, "$1000$", "$-1$", 1), strings.Replace(good, "$1000$", "$5000001$", 1),
		strings.Replace(good, "$1000$", "$1e3$", 1), strings.Replace(good, "$1000$", "$+1000$", 1),
		"argon2$argon2d$v=19$m=8,t=1,p=1$" + salt + "$" + key,
		"argon2$argon2id$v=16$m=8,t=1,p=1$" + salt + "$" + key,
		"argon2$argon2id$m=8,t=1,p=1$" + salt + "$" + key,
		"argon2$argon2id$v=19$m=4194304,t=1,p=1$" + salt + "$" + key,
		"argon2$argon2id$v=19$m=262144,t=16,p=1$" + salt + "$" + key,
		"argon2$argon2id$v=19$m=8,t=0,p=1$" + salt + "$" + key,
		"argon2$argon2id$v=19$m=8,t=1,p=0$" + salt + "$" + key,
		"argon2$argon2id$v=19$m=8,t=1,p=255$" + salt + "$" + key,
		"argon2$argon2id$v=19$t=1,m=8,p=1$" + salt + "$" + key,
		"argon2$argon2id$v=19$m=8,t=1,p=1$" + salt + "$", "argon2$argon2id$v=19$m=8,t=1,p=1$$" + key,
		"bcrypt$$2b$31$Eq4rZ.4aAV5Ay0NNR6r2E.WDTBa8Gzc6hT3yHQaG4GlBlL12/2XC2", "bcrypt$$2b$05$short", "bcrypt$",
		"bcrypt_sha256$$2b$03$e.MSRJwAqSrwkktTTwmEh.bWfa2z0wDbFSKK8ip/eWUZlB/U/T4Da",
		"scrypt$1048576$salt$8$1$" + strings.Repeat("A", 86) + "==", "scrypt$16383$salt$8$1$" + strings.Repeat("A", 86) + "==",
		"scrypt$16$salt$8$17$" + strings.Repeat("A", 86) + "==", "scrypt$16$salt$0$1$" + strings.Repeat("A", 86) + "==",
	} {
		if _, err := parseHash(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if _, err := parseHash("argon2$argon2i$v=19$m=8,t=1,p=1$" + salt + "$" + key); err != nil {
		t.Errorf("the one they vary: %v", err)
	}
}

// FuzzDjangoHash: nothing panics, and what is taken is bearable to run.
func FuzzDjangoHash(f *testing.F) {
	for _, text := range djangoHashes {
		f.Add(text)
	}
	f.Add("argon2$argon2i$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$YC9+jJCrQhs5R6db7LlN8Q")
	f.Fuzz(func(t *testing.T, text string) {
		check, err := parseHash(text)
		if (check == nil) == (err == nil) {
			t.Fatalf("%q: check and error %v", text, err)
		}
		if len(text) < 60 && err == nil && strings.Contains(text, "m=8,t=1,p=1") {
			check("x") // cheap enough to run
		}
	})
}

func TestNewHashesAreDjangosArgon2(t *testing.T) {
	p := newPasswords(Hashing{Workers: 1, Wait: time.Second, MemoryKiB: 19456, Passes: 2}, strings.NewReader(strings.Repeat("salt", 4)), &Counters{})
	hash, err := p.hash(t.Context(), djangoPassword)
	if err != nil {
		t.Fatal(err)
	}
	// Read back with Django 3.2: check_password(djangoPassword, hash) is True.
	if want := "argon2$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$p2wq/6cYK2Vbc4Tx5MgiouGnsSfuzwZKu25yskle4i0"; hash != want || !p.current(hash) {
		t.Errorf("%s", hash)
	}
	for password, want := range map[string]bool{djangoPassword: true, "Grüsse, Welt 1": false, "": false} {
		if fits, err := p.check(t.Context(), password, hash); fits != want || err != nil {
			t.Errorf("%q: %v, %v", password, fits, err)
		}
	}
}

func TestEveryLoginPathRunsExactlyOneHash(t *testing.T) {
	old := djangoHashes["pbkdf2_sha256"]
	for name, c := range map[string]struct {
		name, password string
		change         func(*presence.Account)
		kind           presence.ErrorKind
		code           string
	}{
		"right password":          {"alice", goodPassword, nil, 0, ""},
		"wrong password":          {"alice", "wrong-pass", nil, presence.Unauthenticated, CodeBadCredentials},
		"unknown user":            {"nobody", goodPassword, nil, presence.Unauthenticated, CodeBadCredentials},
		"other case":              {"ALICE", goodPassword, nil, presence.Unauthenticated, CodeBadCredentials},
		"e-mail as name":          {"alice@example.test", goodPassword, nil, presence.Unauthenticated, CodeBadCredentials},
		"closed, right password":  {"alice", goodPassword, func(a *presence.Account) { a.Active = false }, presence.Unauthenticated, CodeBadCredentials},
		"closed, wrong password":  {"alice", "wrong-pass", func(a *presence.Account) { a.Active = false }, presence.Unauthenticated, CodeBadCredentials},
		"deleted":                 {"alice", goodPassword, func(a *presence.Account) { a.DeletedAt = testStart }, presence.Unauthenticated, CodeBadCredentials},
		"pending":                 {"alice", goodPassword, func(a *presence.Account) { a.Status = presence.AccountPending }, presence.Forbidden, CodeAccountInactive},
		"suspended":               {"alice", goodPassword, func(a *presence.Account) { a.Status = presence.AccountSuspended }, presence.Forbidden, CodeAccountInactive},
		"banned":                  {"alice", goodPassword, func(a *presence.Account) { a.Status = presence.AccountBanned }, presence.Forbidden, CodeAccountInactive},
		"pending, wrong password": {"alice", "wrong-pass", func(a *presence.Account) { a.Status = presence.AccountPending }, presence.Unauthenticated, CodeBadCredentials},
		"unusable password":       {"alice", "!unusable", func(a *presence.Account) { a.PasswordHash = "!unusable" }, presence.Unauthenticated, CodeBadCredentials},
		"unreadable hash":         {"alice", goodPassword, func(a *presence.Account) { a.PasswordHash = "md5$a$b" }, presence.Unauthenticated, CodeBadCredentials},
		"empty hash":              {"alice", goodPassword, func(a *presence.Account) { a.PasswordHash = "" }, presence.Unauthenticated, CodeBadCredentials},
		"old hash, wrong":         {"alice", goodPassword, func(a *presence.Account) { a.PasswordHash = old }, presence.Unauthenticated, CodeBadCredentials},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a := w.user("alice")
			if c.change != nil {
				w.change(a.ID, c.change)
			}
			before := w.count.HashRuns.Load()
			_, _, err := w.Login(t.Context(), c.name, c.password, home)
			if c.code == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else {
				wantError(t, err, c.kind, c.code)
			}
			if c.code == CodeBadCredentials && tell(err) != "Invalid credentials" {
				t.Errorf("tells %q", tell(err))
			}
			if n := w.count.HashRuns.Load() - before; n != 1 {
				t.Errorf("%d hash runs", n)
			}
		})
	}
}

func TestPasswordsThatCannotFitAreRefusedBeforeHashing(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	before := w.count.HashRuns.Load()
	for name, c := range map[string]struct{ name, password, field, tell string }{
		"no name":       {" ", "x", "username", "Username and password are required"},
		"no password":   {"alice", "  ", "password", "Username and password are required"},
		"long name":     {strings.Repeat("u", 151), "x", "username", "Username too long"},
		"long password": {"alice", strings.Repeat("p", 129), "password", "Password too long"},
		"one megabyte":  {"alice", strings.Repeat("p", 1<<20), "password", "Password too long"},
		"many bytes":    {"alice", strings.Repeat("a\u0300\u0301\u0302", 128), "password", "Password too long"},
	} {
		_, _, err := w.Login(t.Context(), c.name, c.password, home)
		if presence.KindOf(err) != presence.Invalid || field(err) != c.field || tell(err) != c.tell {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := w.count.HashRuns.Load() - before; n != 0 {
		t.Errorf("%d hash runs", n)
	}
}

func TestAnOldHashIsUpgradedBehindTheLogin(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice", func(a *presence.Account) { a.PasswordHash = djangoHashes["pbkdf2_sha256"] })
	for range 2 {
		if _, _, err := w.Login(t.Context(), "alice", djangoPassword, home); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	if hash := w.account(a.ID).PasswordHash; !w.passwords.current(hash) {
		t.Errorf("still %s", hash)
	}
	if n := w.count.HashRuns.Load() - 1; n != 3 { // one for making alice; two logins and one upgrade
		t.Errorf("%d hash runs", n)
	}
}

func TestAnUpgradeNeverReplacesANewerPassword(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice", func(a *presence.Account) { a.PasswordHash = djangoHashes["pbkdf2_sha256"] })
	checked := w.account(a.ID)
	w.change(a.ID, func(a *presence.Account) { a.PasswordHash = "set meanwhile" })
	w.upgradeHash(t.Context(), checked, djangoPassword)
	w.Close()
	if hash := w.account(a.ID).PasswordHash; hash != "set meanwhile" {
		t.Errorf("replaced by %s", hash)
	}
}

func TestAPasswordChangedDuringALoginCountsAsItIsThen(t *testing.T) {
	w := newWorld(t)
	a := w.user("alice")
	hash, err := w.passwords.hash(t.Context(), "Another-pass-1")
	if err != nil {
		t.Fatal(err)
	}
	changed := false
	w.store.onDurable = func() { // after the check, before the act
		if !changed {
			changed = true
			w.change(a.ID, func(a *presence.Account) { a.PasswordHash = hash })
		}
	}
	_, _, err = w.Login(t.Context(), "alice", goodPassword, home)
	wantError(t, err, presence.Unauthenticated, CodeBadCredentials)
	if n := len(w.data().sessions); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestTheHashQueueIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		count := &Counters{}
		q := newHashQueue(2, 2*time.Second, count)
		release := make(chan struct{})
		for range 2 {
			go func() { _ = q.run(context.Background(), func() { <-release }) }()
		}
		synctest.Wait()

		start := time.Now()
		err := q.run(t.Context(), func() { t.Error("ran") })
		wantError(t, err, presence.Unavailable, "")
		if waited := time.Since(start); waited != 2*time.Second {
			t.Errorf("waited %v", waited)
		}
		known := err.(*presence.Error)
		if known.RetryAfter < 2*time.Second || known.RetryAfter > 6*time.Second {
			t.Errorf("come back in %v", known.RetryAfter)
		}

		ctx, cancel := context.WithCancel(t.Context())
		left := make(chan error)
		go func() { left <- q.run(ctx, func() { t.Error("ran") }) }()
		synctest.Wait()
		cancel()
		wantError(t, <-left, presence.Unavailable, "")

		done := make(chan error)
		go func() { done <- q.run(t.Context(), func() {}) }()
		synctest.Wait()
		close(release)
		if err := <-done; err != nil {
			t.Errorf("its turn came, and %v", err)
		}
		if count.HashRuns.Load() != 3 || count.HashesRefused.Load() != 1 {
			t.Errorf("%d runs, %d refused", count.HashRuns.Load(), count.HashesRefused.Load())
		}
	})
}

func TestAsManyHashesRunAtOnceAsThereAreWorkers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newHashQueue(3, time.Minute, &Counters{})
		var running, most atomic.Int64
		for range 30 {
			go func() {
				_ = q.run(context.Background(), func() {
					if running.Add(1) == 3 {
						most.Add(1)
					}
					time.Sleep(time.Second)
					if running.Add(-1) > 2 {
						t.Error("more than three at once")
					}
				})
			}()
		}
		time.Sleep(time.Minute)
		if most.Load() == 0 {
			t.Error("never three at once")
		}
	})
}

func TestDefaultsOfHashing(t *testing.T) {
	h := Hashing{}
	h.setDefaults()
	if (h != Hashing{Workers: runtime.GOMAXPROCS(0), Wait: 2 * time.Second, MemoryKiB: 19456, Passes: 2}) {
		t.Errorf("%+v", h)
	}
}

func TestPasswordBounds(t *testing.T) {
	for password, code := range map[string]string{
		"": CodeRequired, "1234567": CodeTooShort, "12345678": "", strings.Repeat("p", 128): "", strings.Repeat("p", 129): CodeTooLong,
		"pässwörd": "", "🙂🙂🙂🙂🙂🙂🙂🙂": "", "🙂🙂🙂🙂🙂🙂🙂": CodeTooShort, "with space in": "", "NUL\x00inside": CodeMalformed,
		"not utf8 \xff\xfe": CodeMalformed, strings.Repeat("p", 1<<20): CodeTooLong,
	} {
		if got := codeOf(checkPassword("password", password)); got != code {
			t.Errorf("%.20q: %q, want %q", password, got, code)
		}
	}
}
