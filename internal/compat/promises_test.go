package compat

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// TestLogoutEndsTheSession and nothing else (promise 1).
func TestLogoutEndsTheSession(t *testing.T) {
	for name, body := range map[string]func(refresh string) string{
		"without a body":            func(string) string { return "" },
		"with its refresh token":    func(refresh string) string { return `{"refresh_token":"` + refresh + `"}` },
		"with garbage":              func(string) string { return `{"refresh_token":"garbage"}` },
		"with a refresh token null": func(string) string { return `{"refresh_token":null}` },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			founders(s)
			out, stays := s.login("alice"), s.again("alice")
			s.want(200, "POST", "/api/users/logout/", out.Access, body(out.Refresh))
			s.want(401, "POST", "/api/users/heartbeat/", out.Access, "")
			s.want(401, "GET", "/api/auth/profile/", out.Access, "")
			s.want(401, "POST", "/api/users/logout/", out.Access, "")
			s.want(401, "POST", "/api/auth/refresh/", "", `{"refresh":"`+out.Refresh+`"}`)
			s.want(401, "POST", "/api/auth/verify/", "", `{"token":"`+out.Access+`"}`)
			s.want(401, "POST", "/api/auth/verify/", "", `{"token":"`+out.Refresh+`"}`)
			if s.status("alice") != presence.Online {
				t.Error("the other session did not keep the user online")
			}
			s.want(200, "POST", "/api/users/heartbeat/", stays.Access, "")
			s.want(200, "POST", "/api/users/logout/", stays.Access, "")
			if s.status("alice") != presence.Offline {
				t.Error("the last logout did not take the user offline")
			}
		})
	}
}

// TestWhoIsOutReadsNothing: force-logout, suspend, ban, deactivate and delete end every session and set offline in
// the same step; nothing that comes later moves anything (promises 2 and 4).
func TestWhoIsOutReadsNothing(t *testing.T) {
	for _, act := range []struct{ method, path, body string }{
		{"POST", "2/force-logout/", ""},
		{"POST", "2/suspend/", `{"reason":"spam"}`},
		{"POST", "2/ban/", ""},
		{"PUT", "2/", `{"is_active":false}`},
		{"PUT", "2/", `{"status":"pending"}`},
		{"DELETE", "2/", ""},
		{"DELETE", "2/?permanent=true", ""},
	} {
		t.Run(act.method+" "+act.path+" "+act.body, func(t *testing.T) {
			s := newStack(t)
			founders(s)
			one, two, boss := s.login("alice"), s.again("alice"), s.login("admin").Access
			seen := s.lastSeen("alice")
			s.want(200, act.method, "/api/users/admin/users/"+act.path, boss, act.body)
			for _, tokens := range []string{one.Access, two.Access} {
				for _, path := range []string{"heartbeat/", "refresh-status/"} {
					if w := s.ask("POST", "/api/users/"+path, tokens, ""); w.Code != 401 && w.Code != 403 {
						t.Errorf("%s: %d", path, w.Code)
					}
				}
				for _, path := range []string{"profile/", "all-users/", "admin/users/online/", "activity/"} {
					s.want(401, "GET", "/api/users/"+path, tokens, "")
				}
			}
			s.want(401, "POST", "/api/auth/refresh/", "", `{"refresh":"`+one.Refresh+`"}`)
			s.want(401, "POST", "/api/auth/verify/", "", `{"token":"`+two.Access+`"}`)
			states, err := s.tracker.State(t.Context(), []presence.UserID{2})
			if err != nil || states[0].Status != presence.Offline {
				t.Errorf("after all that: %+v %v", states, err)
			}
			if act.method != "DELETE" && !states[0].LastSeen.Equal(seen) {
				t.Errorf("last_seen moved from %v to %v", seen, states[0].LastSeen)
			}
			online := s.want(200, "GET", "/api/users/admin/users/online/", boss, "")
			if online["count"] != 1.0 {
				t.Errorf("online list: %v", online)
			}
			if act.path == "2/force-logout/" {
				s.want(200, "POST", "/api/users/heartbeat/", s.again("alice").Access, "")
			}
		})
	}
}

// TestEveryRequestIsActivity: whatever somebody asks, they are online afterwards and seen just now; what is not
// theirs to ask counts too, and what is no sign of life does not (promise 6).
func TestEveryRequestIsActivity(t *testing.T) {
	s := newStack(t)
	founders(s)
	token, boss := s.login("alice").Access, s.login("admin").Access
	for _, ask := range [][2]string{
		{"GET", "profile/"},
		{"GET", "activity/"},
		{"GET", "statistics/"},
		{"GET", "all-users/"},
		{"GET", "admin/users/online/"},
		{"GET", "admin/users/1/online-status/"},
		{"POST", "refresh-status/"},
		{"PUT", "profile/"},
		{"GET", "admin/users/"},
		{"PATCH", "profile/"},
		{"POST", "heartbeat/"},
	} {
		s.want(200, "POST", "/api/users/admin/users/2/set-online-status/", boss, `{"status":"offline"}`)
		before := s.lastSeen("alice")
		w := s.ask(ask[0], "/api/users/"+ask[1], token, "")
		if w.Code >= 500 || s.status("alice") != presence.Online || !s.lastSeen("alice").After(before) {
			t.Errorf("%v (%d): %v, seen %v", ask, w.Code, s.status("alice"), s.lastSeen("alice").Sub(before))
		}
	}
	s.want(200, "POST", "/api/users/admin/users/2/set-online-status/", boss, "")
	s.ask("OPTIONS", "/api/users/profile/", token, "")
	s.ask("POST", "/api/users/heartbeat/", token, "", "Content-Type", "text/plain")
	s.ask("GET", "/api/users/heartbeat", token, "")
	if s.status("alice") != presence.Offline {
		t.Error("something that was turned away before anybody looked who asks counted")
	}
}

// TestFreshAnswers: an answer tells what is so after the request (promise 9).
func TestFreshAnswers(t *testing.T) {
	s := newStack(t)
	founders(s)
	start := time.Now().Add(-time.Millisecond).UTC().Format(microseconds)
	signedUp := s.want(201, "POST", "/api/auth/register/", "", `{"username":"carol","password":"Alice-pass-1"}`)["user"].(map[string]any)
	signedIn := s.want(200, "POST", "/api/auth/login/", "", `{"username":"alice","password":"Alice-pass-1"}`)["user"].(map[string]any)
	for _, user := range []map[string]any{signedUp, signedIn} {
		if user["online_status"] != "online" || user["is_online"] != true || user["last_seen"].(string) < start {
			t.Errorf("after signing in: %v", user)
		}
	}
	token := s.login("alice").Access
	if me := s.want(200, "GET", "/api/users/profile/", token, ""); me["online_status"] != "online" || me["last_seen"].(string) < start {
		t.Errorf("profile: %v", me)
	}
	if got := s.want(200, "POST", "/api/users/refresh-status/", token, ""); got["online_status"] != "online" || got["last_seen"].(string) < start {
		t.Errorf("refresh-status: %v", got)
	}
}

// TestActivityHasLogins (promise 12).
func TestActivityHasLogins(t *testing.T) {
	s := newStack(t)
	founders(s)
	s.want(200, "POST", "/api/users/logout/", s.login("alice").Access, "")
	answer := s.want(200, "GET", "/api/users/activity/", s.again("alice").Access, "")
	var actions []string
	for _, row := range answer["results"].([]any) {
		actions = append(actions, row.(map[string]any)["action"].(string))
	}
	if want := []string{"login", "logout", "login"}; !slices.Equal(actions, want) {
		t.Errorf("%v, want %v", actions, want)
	}
}

// TestOrdinaryUsersSeeLess: neither addresses nor roles, in either list; the keys are there, and the address is
// text (promise 13). Who may read gets everything.
func TestOrdinaryUsersSeeLess(t *testing.T) {
	s := newStack(t)
	founders(s)
	moderator := user(3, "mod")
	moderator.Role = presence.RoleModerator
	s.seed(moderator)
	for who, full := range map[string]bool{"alice": false, "mod": true, "admin": true} {
		s.login("admin")
		for path, key := range map[string]string{"all-users/": "users", "admin/users/online/": "online_users"} {
			answer := s.want(200, "GET", "/api/users/"+path, s.login(who).Access, "")
			for _, one := range answer[key].([]any) {
				row := one.(map[string]any)
				email, role := "", "user"
				if full {
					a := s.account(row["username"].(string))
					email, role = a.Email, a.Role.String()
				}
				if row["email"] != email || row["role"] != role {
					t.Errorf("%s in %s sees %v", who, path, row)
				}
			}
		}
	}
}

// TestAdminListFollowsTheEngine: filters and order by presence agree with the presence shown (promise 7).
func TestAdminListFollowsTheEngine(t *testing.T) {
	s := newStack(t)
	crowd(s)
	bulk(s)
	now := time.Now()
	for i, name := range []string{"on0", "on1", "on2"} {
		load(s, name, presence.Online, now.Add(-time.Duration(i)*time.Second))
	}
	load(s, "on3", presence.Away, now.Add(time.Second))
	load(s, "bulk01", presence.Online, now.Add(-time.Minute))
	token := s.login("admin").Access
	for query, want := range map[string]string{
		"online_status=away":                                          "on3",
		"online_status=online&ordering=-last_seen":                    "admin on0 on1 on2 bulk01",
		"online_status=online&ordering=last_seen":                     "bulk01 on2 on1 on0 admin",
		"online_status=online&ordering=-last_seen&role=user":          "on0 on1 on2 bulk01",
		"online_status=online&ordering=username":                      "admin bulk01 on0 on1 on2",
		"online_status=online&ordering=-username&search=on":           "on2 on1 on0",
		"online_status=online&is_active=true&ordering=id":             "admin on0 on1 on2 bulk01",
		"online_status=online&ordering=-last_seen&per_page=2&page=2":  "on1 on2",
		"online_status=online&ordering=username&per_page=2&page=last": "on2",
	} {
		answer := s.want(200, "GET", "/api/users/admin/users/?"+query, token, "")
		var names []string
		for _, one := range answer["results"].([]any) {
			row := one.(map[string]any)
			names = append(names, row["username"].(string))
			if status := "online"; strings.Contains(query, "online_status=online") && row["online_status"] != status {
				t.Errorf("?%s lists %v", query, row)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("?%s: %s, want %s", query, got, want)
		}
	}
	answer := s.want(200, "GET", "/api/users/admin/users/?search=b&online_status=offline&ordering=-last_seen&per_page=2&page=3", token, "")
	if answer["next"] != "http://base.test/api/users/admin/users/?online_status=offline&ordering=-last_seen&page=4&per_page=2&search=b" ||
		answer["previous"] != "http://base.test/api/users/admin/users/?online_status=offline&ordering=-last_seen&page=2&per_page=2&search=b" {
		t.Errorf("links: %v, %v", answer["next"], answer["previous"])
	}
}

// TestAnalyticsCountsPeople: accounts and presence are counted truly.
func TestAnalyticsCountsPeople(t *testing.T) {
	s := newStack(t)
	crowd(s)
	bulk(s)
	load(s, "on3", presence.Away, time.Now())
	answer := s.want(200, "GET", "/api/analytics/data/", s.login("admin").Access, "")
	if got, want := fmt.Sprint(answer["userStats"]), "map[active:36 banned:0 pending:7 suspended:0 total:43]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := fmt.Sprint(answer["onlineStats"]), "map[away:1 offline:41 online:1]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestNobodyInactiveIsPutOnline: an admin's word does not bring back whom an admin shut out.
func TestNobodyInactiveIsPutOnline(t *testing.T) {
	s := newStack(t)
	founders(s)
	s.seed(withStatus(user(3, "susp"), presence.AccountSuspended))
	token := s.login("admin").Access
	s.want(409, "POST", "/api/users/admin/users/3/set-online-status/", token, `{"status":"online"}`)
	s.want(409, "POST", "/api/users/admin/users/3/set-online-status/", token, `{"status":"away"}`)
	s.want(200, "POST", "/api/users/admin/users/3/set-online-status/", token, `{"status":"offline"}`)
	if s.status("susp") != presence.Offline {
		t.Error("a suspended account is online")
	}
}

// TestAwayLeavesLastSeenAlone, as recorded; online and offline move it.
func TestAwayLeavesLastSeenAlone(t *testing.T) {
	s := newStack(t)
	founders(s)
	s.login("alice")
	token := s.login("admin").Access
	for status, moves := range map[string]bool{"away": false, "online": true, "offline": true} {
		before := s.lastSeen("alice")
		answer := s.want(200, "POST", "/api/users/admin/users/2/set-online-status/", token, `{"status":"`+status+`"}`)
		if answer["online_status"] != status || s.lastSeen("alice").After(before) != moves {
			t.Errorf("%s: %v, last_seen moved: %v", status, answer, !moves)
		}
	}
}

// TestClientsAreToldTheSettings in headers, where they sign in and where they poll.
func TestClientsAreToldTheSettings(t *testing.T) {
	s := newStack(t)
	founders(s)
	tokens, boss := s.login("alice"), s.login("admin").Access
	for _, ask := range [][4]string{
		{"POST", "/api/auth/login/", "", `{"username":"alice","password":"Alice-pass-1"}`},
		{"POST", "/api/auth/register/", "", `{"username":"carol","password":"Alice-pass-1"}`},
		{"POST", "/api/auth/refresh/", "", `{"refresh":"` + tokens.Refresh + `"}`},
		{"POST", "/api/users/refresh-status/", tokens.Access, ""},
		{"GET", "/api/users/all-users/", tokens.Access, ""},
		{"GET", "/api/users/admin/users/online/", tokens.Access, ""},
		{"GET", "/api/users/admin/users/", boss, ""},
	} {
		h := s.ask(ask[0], ask[1], ask[2], ask[3]).Header()
		for key, want := range map[string]string{
			"Presence-Heartbeat-Interval": "30", "Presence-Idle-After": "300", "Presence-Offline-After": "120", "Presence-Refresh-Interval": "2.5",
		} {
			if h.Get(key) != want {
				t.Errorf("%s: %s is %q, want %q", ask[1], key, h.Get(key), want)
			}
		}
	}
}

// TestPasswordChange: the new one works, the old one does not, and the other sessions are over.
func TestPasswordChange(t *testing.T) {
	s := newStack(t)
	founders(s)
	other, mine := s.login("alice").Access, s.again("alice").Access
	s.want(200, "PUT", "/api/users/profile/", mine, `{"current_password":"Alice-pass-1","new_password":"Another-pass-1"}`)
	s.want(200, "GET", "/api/users/profile/", mine, "")
	s.want(401, "GET", "/api/users/profile/", other, "")
	s.want(401, "POST", "/api/auth/login/", "", `{"username":"alice","password":"Alice-pass-1"}`)
	s.want(200, "POST", "/api/auth/login/", "", `{"username":"alice","password":"Another-pass-1"}`)
}

// TestLoginThrottle: four quick failures go through, many do not, and the answer says when to come back.
func TestLoginThrottle(t *testing.T) {
	s := newStack(t)
	founders(s)
	wrong := `{"username":"alice","password":"wrong-password"}`
	for range 4 {
		s.want(401, "POST", "/api/auth/login/", "", wrong)
	}
	for range 100 {
		w := s.ask("POST", "/api/auth/login/", "", wrong)
		if w.Code == 429 {
			if w.Header().Get("Retry-After") == "" || !strings.HasPrefix(w.Body.String(), `{"error":"`) {
				t.Errorf("throttled: %v %s", w.Header(), w.Body)
			}
			return
		}
	}
	t.Error("104 wrong passwords were all looked at")
}

// An admin sets people online while another bans them: whoever is banned in the end is offline, at once.
func TestSetOnlineStatusAgainstBan(t *testing.T) {
	s := newStack(t)
	founders(s)
	boss := s.login("admin").Access
	const rounds, setters = 60, 4
	for round := range rounds {
		name := fmt.Sprintf("raced%d", round)
		id := presence.UserID(100 + round)
		s.seed(user(id, name))
		act := fmt.Sprintf("/api/users/admin/users/%d/%s/", id, []string{"ban", "suspend"}[round%2])
		var group sync.WaitGroup
		stop := make(chan struct{})
		for range setters {
			group.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						s.ask("POST", fmt.Sprintf("/api/users/admin/users/%d/set-online-status/", id), boss, `{"status":"online"}`)
					}
				}
			})
		}
		s.ask("POST", act, boss, "")
		close(stop)
		group.Wait()
		if got := s.status(name); got != presence.Offline {
			t.Fatalf("round %d: %s after %s", round, got, act)
		}
	}
}
