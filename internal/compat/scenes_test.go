package compat

import (
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/offchat/presence"
)

var longAgo = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

const (
	noPermission = `{"detail":"You do not have permission to perform this action."}`
	badToken     = `{"detail":"Given token not valid for any token type","code":"token_not_valid",` +
		`"messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is invalid or expired"}]}`
	badRefresh  = `{"detail":"Token is invalid or expired","code":"token_not_valid"}`
	noSuchUser  = `{"error":"User not found"}`
	notFoundTxt = `{"detail":"Not found."}`
)

// callers makes one person the caller of the given exchanges.
func callers(who string, exchanges ...string) map[string]string {
	m := map[string]string{}
	for _, name := range exchanges {
		m[name] = who
	}
	return m
}

// do turns an action into something that happens before an exchange.
func do(what func(*stack)) func(*stack) (string, string) {
	return func(s *stack) (string, string) { what(s); return "", "" }
}

// standing moves somebody's account status and is_active as an admin of the original could.
func standing(name string, status presence.AccountStatus, active bool) func(*stack) (string, string) {
	return do(func(s *stack) {
		s.change(name, func(a *presence.Account) { a.Status, a.Active = status, active })
	})
}

// load puts somebody's presence into the engine as it is, with a session when they are not offline.
func load(s *stack, name string, status presence.Status, seen time.Time) {
	id := s.account(name).ID
	record := presence.Record{Presence: presence.Presence{User: id, Status: status, LastSeen: seen}}
	if err := s.tracker.Load(s.t.Context(), iter.Seq[presence.Record](func(yield func(presence.Record) bool) { yield(record) })); err != nil {
		s.t.Fatal(err)
	}
}

func withStatus(a presence.Account, status presence.AccountStatus) presence.Account {
	a.Status = status
	return a
}

func closed(a presence.Account) presence.Account {
	a.Active = false
	return a
}

// founders are the two users that most recordings are about.
func founders(s *stack) { s.seed(admin(1, "admin"), user(2, "alice")) }

func scenes() map[string]scene {
	return map[string]scene{
		"login": loginScene(), "register": registerScene(), "logout": logoutScene(), "tokens": tokensScene(),
		"profile": profileScene(), "activity": activityScene(), "statistics": statisticsScene(),
		"heartbeat": heartbeatScene(), "refresh_status": refreshScene(), "online_status": onlineStatusScene(),
		"set_online_status": setScene(), "online_list": onlineListScene(), "all_users": allUsersScene(),
		"debug_heartbeat": debugScene(), "admin_users_list": adminListScene(), "admin_user_create": createScene(),
		"admin_user_detail": detailScene(), "admin_actions": actionsScene(), "admin_api_other": otherScene(),
	}
}

func loginScene() scene {
	required := `{"error":"Username and password are required"}`
	return scene{
		seed: func(s *stack) {
			founders(s)
			s.seed(withStatus(user(6, "pend"), presence.AccountPending), withStatus(user(7, "susp"), presence.AccountSuspended),
				closed(withStatus(user(8, "bann"), presence.AccountBanned)), closed(user(9, "inac")))
		},
		before: map[string]func(*stack) (string, string){
			"status banned while is_active is still true": standing("bann", presence.AccountBanned, true),
		},
		differs: map[string]deviation{
			"ok": {because: "promise 9: the login answer is fresh", body: `{"user": {"id": 2, "username": "alice", ` +
				`"email": "alice@example.test", "first_name": "", "last_name": "", "full_name": "", "avatar": null, "bio": "", ` +
				`"role": "user", "status": "active", "display_status": "active", "is_active": true, "online_status": "online", ` +
				`"last_seen": "2026-11-23T13:00:27.458418Z", "join_date": "2026-11-23T13:00:27.458427Z", "message_count": 0, ` +
				`"report_count": 0, "email_verified": false, "is_approved": true, "is_online": true, ` +
				`"created_at": "2026-11-23T13:00:27.725258Z", "updated_at": "2026-11-23T13:00:27.725268Z"}, ` +
				`"tokens": {"access": "<jwt>", "refresh": "<jwt>"}}`},
			"username null":   {because: "promise 10", status: 400, body: required},
			"malformed JSON":  {because: "promise 10", status: 400, body: `{"error":"Request body is not valid JSON."}`},
			"JSON array body": {because: "promise 10", status: 400, body: `{"error":"Request body must be a JSON object."}`},
			"OPTIONS preflight from a browser origin": {
				because: "preflights are answered by the server's CORS, before us; what is left is a plain OPTIONS", html: true,
			},
		},
	}
}

func registerScene() scene {
	return scene{
		seed:  func(s *stack) { s.seed(admin(1, "admin")) },
		loose: []string{"online_status", "is_online"}, // promise 9 for sign-up too: checked below
		differs: map[string]deviation{
			"non-string username": {because: "promise 10", status: 400, body: `{"error":"Username, email and password must be text"}`},
		},
	}
}

func logoutScene() scene {
	anew := func(s *stack) (string, string) { return s.again("alice").Access, "" }
	withRefresh := func(s *stack) (string, string) {
		tokens := s.again("alice")
		return tokens.Access, `{"refresh_token":"` + tokens.Refresh + `"}`
	}
	return scene{
		seed: func(s *stack) { founders(s); s.seed(user(3, "bob")) }, caller: "alice",
		before: map[string]func(*stack) (string, string){
			"with refresh_token":         withRefresh,
			"refresh after that":         func(s *stack) (string, string) { return "", `{"refresh":"` + s.login("alice").Refresh + `"}` },
			"verify after that":          func(s *stack) (string, string) { return "", `{"token":"` + s.login("alice").Refresh + `"}` },
			"with garbage refresh_token": anew,
			"with field named refresh":   anew,
			"another user's refresh_token": func(s *stack) (string, string) {
				return s.again("alice").Access, `{"refresh_token":"` + s.login("bob").Refresh + `"}`
			},
			"via /api/users": anew, "GET": anew, "two sessions: first logs out": withRefresh,
		},
		differs: map[string]deviation{
			"same access token again on profile":       {because: "promise 1", status: 401, body: badToken},
			"logout a second time with the same token": {because: "promise 1", status: 401, body: badToken},
			"refresh after that":                       {because: "promise 1", status: 401, body: badRefresh},
			"verify after that":                        {because: "promise 1", status: 401, body: badRefresh},
		},
	}
}

func tokensScene() scene {
	first := func(field string, pick func(*stack) string) func(*stack) (string, string) {
		return func(s *stack) (string, string) { return "", `{"` + field + `":"` + pick(s) + `"}` }
	}
	refresh := func(s *stack) string { return s.login("alice").Refresh }
	mine := func(s *stack) string { return s.login("tmp1").Refresh }
	return scene{
		seed: func(s *stack) { founders(s); s.seed(user(10, "tmp1")) }, caller: "tmp1",
		before: map[string]func(*stack) (string, string){
			"refresh ok (rotation: a new refresh token comes back)": first("refresh", refresh),
			"the old refresh token used again":                      first("refresh", refresh),
			"the new refresh token":                                 first("refresh", refresh),
			"refresh with an access token":                          first("refresh", func(s *stack) string { return s.login("alice").Access }),
			"refresh expired":                                       first("refresh", func(*stack) string { return foreign("refresh", 2, longAgo) }),
			"verify ok (access)":                                    first("token", func(s *stack) string { return s.login("alice").Access }),
			"verify ok (refresh)":                                   first("token", refresh),
			"refresh via /api/users alias":                          first("refresh", refresh),
			"refresh while suspended": func(s *stack) (string, string) {
				body := `{"refresh":"` + mine(s) + `"}`
				s.want(200, "POST", "/api/users/admin/users/10/suspend/", s.login("admin").Access, "")
				return "", body
			},
			"refresh while banned": func(s *stack) (string, string) {
				s.want(200, "POST", "/api/users/admin/users/10/ban/", s.login("admin").Access, "")
				return "", `{"refresh":"` + mine(s) + `"}`
			},
			"refresh of a deleted user": func(s *stack) (string, string) {
				s.want(200, "DELETE", "/api/users/admin/users/10/", s.login("admin").Access, "")
				return "", `{"refresh":"` + mine(s) + `"}`
			},
			"profile while suspended (old access token)": func(s *stack) (string, string) { return s.tokens["tmp1"].Access, "" },
			"profile while banned":                       func(s *stack) (string, string) { return s.tokens["tmp1"].Access, "" },
			"profile of a deleted user":                  func(s *stack) (string, string) { return s.tokens["tmp1"].Access, "" },
		},
		// Whether the account or the session is named as the reason is auth's to say.
		differs: map[string]deviation{
			"refresh while suspended":                    {because: "promise 4", status: 401, body: badRefresh},
			"profile while suspended (old access token)": {because: "promise 4", status: 401, body: `{"detail":"User is inactive","code":"user_inactive"}`},
			"refresh while banned":                       {because: "promise 4", status: 401, body: `{"detail":"User is inactive","code":"user_inactive"}`},
			"refresh of a deleted user":                  {because: "promise 4", status: 401, body: `{"detail":"User not found","code":"user_not_found"}`},
		},
	}
}

func profileScene() scene {
	return scene{seed: founders, caller: "alice", before: map[string]func(*stack) (string, string){
		"garbage token": func(*stack) (string, string) { return "garbage", "" },
	}}
}

func activityScene() scene {
	return scene{
		seed: founders, caller: "alice",
		before: map[string]func(*stack) (string, string){"own": do(func(s *stack) {
			s.change("alice", func(a *presence.Account) { a.FirstName, a.LastName, a.Bio = "Al", "Example", "hi" })
			for range 4 {
				s.want(200, "POST", "/api/users/logout/", s.again("alice").Access, "")
			}
			s.again("alice")
		})},
		// Promise 12: logins are in it too, so there are nine where ten logouts were.
		loose: []string{"count", "body.results", "id", "action", "description"},
	}
}

func heartbeatScene() scene {
	return scene{
		seed: founders, caller: "alice",
		before: map[string]func(*stack) (string, string){
			"garbage token": func(*stack) (string, string) { return "garbage", "" },
			"away user": do(func(s *stack) {
				s.want(200, "POST", "/api/users/admin/users/2/set-online-status/", s.login("admin").Access, `{"status":"away"}`)
			}),
			"account status suspended, is_active true": do(func(s *stack) {
				s.want(200, "POST", "/api/users/admin/users/2/suspend/", s.login("admin").Access, "")
			}),
			"account status banned, is_active true": do(func(s *stack) {
				s.want(200, "PUT", "/api/users/admin/users/2/", s.login("admin").Access, `{"status":"banned"}`)
			}),
			"account status pending, is_active true": do(func(s *stack) {
				s.want(200, "PUT", "/api/users/admin/users/2/", s.login("admin").Access, `{"status":"pending"}`)
			}),
			"account status active, is_active false": do(func(s *stack) {
				s.want(200, "PUT", "/api/users/admin/users/2/", s.login("admin").Access, `{"status":"active","is_active":false}`)
			}),
			"account status banned, is_active false": do(func(s *stack) {
				s.want(200, "POST", "/api/users/admin/users/2/ban/", s.login("admin").Access, "")
			}),
			"after logout with the blacklisted access token": func(s *stack) (string, string) {
				s.want(200, "POST", "/api/users/admin/users/2/activate/", s.login("admin").Access, "")
				token := s.again("alice").Access
				s.want(200, "POST", "/api/users/logout/", token, "")
				return token, ""
			},
		},
		differs: map[string]deviation{
			"no trailing slash": {
				because: "a redirect would lose what was sent: only GET and HEAD are redirected", status: 200,
				body:   `{"message": "Heartbeat recorded", "online_status": "online", "last_seen": "2026-11-23T13:02:19.455643+00:00"}`,
				header: map[string]string{"content-type": "application/json", "vary": "Accept, Origin, Cookie", "location": ""},
			},
			"account status pending, is_active true": {
				because: "the document: only active accounts are online", status: 403,
				body: `{"message": "Account is not active", "online_status": "offline"}`,
			},
			"after logout with the blacklisted access token": {because: "promise 1", status: 401, body: badToken},
		},
	}
}

func refreshScene() scene {
	return scene{
		seed: founders, caller: "alice",
		before: map[string]func(*stack) (string, string){"while suspended": do(func(s *stack) {
			s.want(200, "POST", "/api/users/admin/users/2/suspend/", s.login("admin").Access, "")
		})},
		differs: map[string]deviation{"while suspended": {
			because: "promise 4, in the words of the heartbeat", status: 403,
			body: `{"message":"Account is not active","online_status":"offline"}`,
		}},
	}
}

func onlineStatusScene() scene {
	return scene{
		seed: func(s *stack) { founders(s); s.login("admin") }, caller: "alice", who: callers("admin", "get as admin"),
		differs: map[string]deviation{
			"get unknown id":     {because: "promise 10", body: noSuchUser},
			"get non-numeric id": {because: "an API answers JSON", body: notFoundTxt, html: true},
		},
	}
}

func setScene() scene {
	return scene{
		seed: func(s *stack) { founders(s); s.login("alice") }, caller: "admin",
		who: callers("alice", "as plain user on somebody else", "as plain user on self"),
		differs: map[string]deviation{
			"bad value":                      {because: "promise 10", body: `{"error":"Invalid online status: busy"}`},
			"status null":                    {because: "promise 10", body: `{"error":"Invalid online status: null"}`},
			"unknown id":                     {because: "promise 12", status: 404, body: noSuchUser},
			"as plain user on somebody else": {because: "promise 3", status: 403, body: noPermission},
			"as plain user on self":          {because: "promise 3", status: 403, body: noPermission},
		},
	}
}

func onlineListScene() scene {
	page := func(of string) string { return `{"online_users": [` + of + `], "count": 8}` }
	row := func(id int, name string) string {
		return fmt.Sprintf(`{"id": %d, "username": %q, "email": %q, "online_status": "online", `+
			`"last_seen": "2026-11-23T13:03:08.620391Z", "role": "user", "status": "active"}`, id, name, name+"@example.test")
	}
	return scene{
		seed: func(s *stack) {
			founders(s)
			now := time.Now().Add(time.Minute) // newer than the caller's own sign of life
			for i := range 7 {
				name := fmt.Sprintf("on%d", i)
				s.seed(user(presence.UserID(11+i), name))
				load(s, name, presence.Online, now.Add(-time.Duration(i)*time.Second))
			}
		},
		caller: "admin", who: callers("alice", "as plain user"),
		before: map[string]func(*stack) (string, string){
			"with an away, a suspended and a banned user whose rows say online": do(func(s *stack) {
				token := s.login("admin").Access
				s.want(200, "POST", "/api/users/admin/users/11/set-online-status/", token, `{"status":"away"}`)
				s.want(200, "POST", "/api/users/admin/users/12/suspend/", token, "")
				s.want(200, "POST", "/api/users/admin/users/13/ban/", token, "")
				s.want(200, "POST", "/api/users/logout/", s.login("alice").Access, "")
			}),
		},
		// The admin who asks is online too, by promise 6: one more than recorded. alice, once she has asked, is
		// another.
		loose: []string{"count", "body.online_users"},
		differs: map[string]deviation{
			"as plain user": {because: "promise 13", body: page(`{"id": 11, "username": "on0", "email": "", "online_status": "online", ` +
				`"last_seen": "2026-11-23T13:03:08.620391Z", "role": "user", "status": "active"}`)},
			"?page=1&per_page=2": {because: "promise 7", body: page(row(11, "on0") + "," + row(12, "on1"))},
			"?page=2&per_page=2": {because: "promise 7", body: page(row(13, "on2") + "," + row(14, "on3"))},
			"?page=99":           {because: "promise 7", body: page("")},
			"with an away, a suspended and a banned user whose rows say online": {
				because: "promise 4", body: page(row(14, "on3") + "," + row(15, "on4") + "," + row(16, "on5") + "," + row(17, "on6")),
			},
		},
	}
}

// crowdMade is about when the accounts behind the recorded lists were made.
var crowdMade = time.Date(2026, 11, 23, 13, 0, 0, 0, time.UTC)

// crowd is the first part of the database behind the recorded lists: 13 accounts.
func crowd(s *stack) {
	made := crowdMade
	at := func(a presence.Account) presence.Account {
		a.CreatedAt = made.Add(time.Duration(a.ID) * time.Second)
		return a
	}
	s.seed(at(admin(1, "admin")), at(user(2, "alice")), at(user(3, "nomail")), at(user(4, "weakpw")), at(user(5, "<b>@x")),
		at(withStatus(user(6, "pend"), presence.AccountPending)))
	for i := range 7 {
		s.seed(at(user(presence.UserID(11+i), fmt.Sprintf("on%d", i))))
	}
}

// bulk is the second part: 30 more.
func bulk(s *stack) {
	for i := range 30 {
		a := user(presence.UserID(18+i), fmt.Sprintf("bulk%02d", i))
		a.FirstName, a.LastName = fmt.Sprintf("F%d", i), fmt.Sprintf("L%d", i)
		a.CreatedAt = crowdMade.Add(time.Minute - time.Duration(i)*time.Hour)
		if i%10 == 0 {
			a.Role = presence.RoleModerator
		}
		if i%5 == 0 {
			a.Status = presence.AccountPending
		}
		s.seed(a)
	}
}

func allUsersScene() scene {
	crowded := func(s *stack) {
		crowd(s)
		bulk(s)
		s.change("on6", func(a *presence.Account) { a.Role = presence.RoleAdmin })
	}
	return scene{
		seed: crowded, caller: "admin", who: callers("alice", "as plain user", "?per_page=1"),
		loose: []string{"online_status"}, // pending accounts cannot be online here, and nobody of on0 to on6 is
		differs: map[string]deviation{
			"as plain user": reducedUsers(), "?per_page=1": reducedUsers(),
		},
	}
}

func reducedUsers() deviation {
	return deviation{because: "promise 13", body: `{"users": [{"id": 18, "username": "bulk00", "email": "", "first_name": "F0", ` +
		`"last_name": "L0", "online_status": "offline", "last_seen": "2026-11-23T13:03:19.875485Z", "role": "user", ` +
		`"status": "pending", "is_active": true, "created_at": "2026-11-23T13:03:19.875485Z"}, {"id": 17, "username": "on6", ` +
		`"email": "", "first_name": "", "last_name": "", "online_status": "offline", "last_seen": "2026-11-23T13:03:23.289256Z", ` +
		`"role": "user", "status": "active", "is_active": true, "created_at": "2026-11-23T13:03:19.532937Z"}, "… 43 items in all"], "count": 43}`}
}

func debugScene() scene {
	at := func(status presence.Status, ago time.Duration) func(*stack) (string, string) {
		return do(func(s *stack) { load(s, "alice", status, time.Now().Add(-ago)) })
	}
	return scene{
		seed: founders, caller: "admin", who: callers("alice", "as plain user"),
		before: map[string]func(*stack) (string, string){
			"fresh user":            at(presence.Online, 0),
			"90 s idle":             at(presence.Online, 90*time.Second),
			"500 s idle":            at(presence.Offline, 500*time.Second),
			"username with a space": nil,
		},
		differs: map[string]deviation{"500 s idle": {because: "promise 8: whoever is silent so long is offline", body: `{"username": "alice", ` +
			`"online_status": "offline", "last_seen": "2026-11-23T12:55:04.353163+00:00", "time_since_last_seen_seconds": 500.017156, ` +
			`"is_sending_heartbeats": false, "will_go_offline_in_seconds": 0, "debug_info": {"current_time": ` +
			`"2026-11-23T13:03:24.370319+00:00", "last_seen": "2026-11-23T12:55:04.353163+00:00", "status": "active", "is_active": true}}`}},
	}
}

// statisticsScene has the days and months of the recording told as those of today: both lists begin with the present one.
func statisticsScene() scene {
	recorded, today := time.Date(2026, time.November, 23, 0, 0, 0, 0, time.UTC), time.Now().UTC()
	var edit []string
	for i := range 7 {
		edit = append(edit, strconv.Quote(recorded.AddDate(0, 0, -i).Weekday().String()),
			strconv.Quote(today.AddDate(0, 0, -i).Weekday().String()))
	}
	for i := range 12 {
		month := func(t time.Time) string {
			return time.Date(t.Year(), t.Month()-time.Month(i), 1, 0, 0, 0, 0, time.UTC).Format(`"January 2006"`)
		}
		edit = append(edit, month(recorded), month(today))
	}
	return scene{seed: founders, caller: "alice", differs: map[string]deviation{
		"own": {because: "days and months are those before the one of the question", edit: edit},
	}}
}
