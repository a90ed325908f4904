package compat

import (
	"fmt"
	"strings"

	"github.com/offchat/presence"
)

// listRow is a row of the admin list.
func listRow(id int, name, first, last, role, status, online string) string {
	return fmt.Sprintf(`{"id": %d, "username": %q, "email": %q, "first_name": %q, "last_name": %q, "full_name": %q, "avatar": null, `+
		`"role": %q, "status": %q, "display_status": %q, "is_active": true, "online_status": %q, "last_seen": "2026-11-23T13:03:02.620391Z", `+
		`"join_date": "2026-11-23T13:03:19.357196Z", "message_count": 0, "email_verified": false, "created_at": "2026-11-23T13:03:19.532937Z"}`,
		id, name, name+"@example.test", first, last, strings.TrimSpace(first+" "+last), role, status, status, online)
}

func listPage(count int, next string, rows ...string) string {
	return fmt.Sprintf(`{"count": %d, "next": %s, "previous": null, "results": [%s]}`, count, next, strings.Join(rows, ","))
}

func adminListScene() scene {
	return scene{
		seed: crowd, caller: "admin",
		who: map[string]string{
			"as plain user": "alice", "as moderator": "bulk10", "as role=admin without is_staff": "on6",
			"debug route as role=admin without is_staff": "on6",
		},
		before: map[string]func(*stack) (string, string){
			"query (none)": do(bulk),
			"as moderator": do(func(s *stack) {
				s.change("bulk10", func(a *presence.Account) { a.Status = presence.AccountActive })
			}),
			"as role=admin without is_staff": do(func(s *stack) {
				s.change("on6", func(a *presence.Account) { a.Role = presence.RoleAdmin })
			}),
		},
		loose: []string{"online_status"}, // the recorded rows were written by hand; TestAdminListFollowsTheEngine has ours
		differs: map[string]deviation{
			"query ?per_page=1000": {because: "promise 7", edit: []string{
				"20 items in all", "43 items in all", `"<base>/api/users/admin/users/?page=2&per_page=1000"`, "null",
			}},
			"query ?per_page=5": {because: "promise 7", edit: []string{"20 items in all", "5 items in all"}},
			"query ?online_status=online": {
				because: "promise 7", body: listPage(1, "null", listRow(1, "admin", "", "", "admin", "active", "online")),
			},
			"query ?ordering=username": {because: "promise 7", body: listPage(43, `"<base>/api/users/admin/users/?ordering=username&page=2"`,
				listRow(5, "<b>@x", "", "", "user", "active", "offline"), listRow(1, "admin", "", "", "admin", "active", "online"),
				`"… 20 items in all"`)},
			"query ?ordering=-last_seen": {because: "promise 7", body: listPage(43, `"<base>/api/users/admin/users/?ordering=-last_seen&page=2"`,
				listRow(1, "admin", "", "", "admin", "active", "online"), `"… 20 items in all"`)},
			"query ?is_active=false": {because: "a filter that is given filters", body: listPage(0, "null")},
			"as moderator": {
				because: "moderators read what admins read", status: 200,
				body: listPage(43, `"<base>/api/users/admin/users/?page=2"`,
					listRow(18, "bulk00", "F0", "L0", "moderator", "pending", "offline"), `"… 20 items in all"`),
			},
			"debug route as role=admin without is_staff": {
				because: "the debug route is for admins", status: 200,
				body: `{"username": "alice", "online_status": "online", "last_seen": "2026-11-23T13:01:54.237444+00:00", ` +
					`"time_since_last_seen_seconds": 0.024899, "is_sending_heartbeats": true, "will_go_offline_in_seconds": 119.9, ` +
					`"debug_info": {"current_time": "2026-11-23T13:03:24.262343+00:00", ` +
					`"last_seen": "2026-11-23T13:01:54.237444+00:00", "status": "active", "is_active": true}}`,
			},
			"as json with Accept text/html": {because: "an API answers JSON", html: true},
		},
	}
}

func createScene() scene {
	return scene{
		seed: founders, caller: "admin", who: callers("alice", "as plain user"), loose: []string{"id"},
		differs: map[string]deviation{
			"malformed JSON": {because: "promise 10", status: 400, body: `{"error":"Request body is not valid JSON."}`},
		},
	}
}

func detailScene() scene {
	offline := []string{`"online_status":"online"`, `"online_status":"offline"`, `"is_online":true`, `"is_online":false`}
	return scene{
		seed: func(s *stack) {
			founders(s)
			s.seed(withStatus(user(48, "carol"), presence.AccountPending), user(51, "spare"), admin(52, "second"))
		},
		caller: "admin",
		who: map[string]string{
			"get as plain user": "alice", "get own record as plain user": "alice", "put as plain user": "alice",
			"delete as plain user": "alice", "an admin deletes itself": "second",
		},
		differs: map[string]deviation{
			"put online_status and last_seen": {because: "promise 8: presence is not writable", edit: offline},
			"put read-only fields ignored":    {because: "promise 8", edit: offline},
			"put is_active false":             {because: "promise 8", edit: offline},
		},
	}
}

func actionsScene() scene {
	inactive := deviation{because: "promise 4", status: 401, body: `{"detail":"User is inactive","code":"user_inactive"}`}
	done := func(what string) deviation {
		return deviation{because: "promise 12", status: 200, html: true, body: `{"message":"User ` + what + ` successfully"}`}
	}
	refresh := func(s *stack) (string, string) { return "", `{"refresh":"` + s.tokens["gina"].Refresh + `"}` }
	return scene{
		seed: func(s *stack) {
			founders(s)
			gina := withStatus(user(53, "gina"), presence.AccountPending)
			gina.PasswordHash = hashOf("Gina-pass-1")
			s.seed(gina, withStatus(user(49, "dave"), presence.AccountPending))
		},
		caller: "admin",
		who: map[string]string{
			"approve as plain user": "alice", "suspend as plain user": "alice", "ban as plain user": "alice",
			"force-logout as plain user": "alice", "ban oneself": "alice",
			"suspended user: heartbeat": "gina", "suspended user: list of online users": "gina", "banned user: heartbeat": "gina",
			"after force-logout: profile with the old access token": "gina", "after force-logout: heartbeat with the old access token": "gina",
		},
		before: map[string]func(*stack) (string, string){
			"suspend":                     do(func(s *stack) { s.loginWith("gina", "Gina-pass-1") }),
			"force-logout":                do(func(s *stack) { delete(s.tokens, "gina"); s.loginWith("gina", "Gina-pass-1") }),
			"banned user: refresh":        refresh,
			"after force-logout: refresh": refresh,
		},
		differs: map[string]deviation{
			"suspended user: list of online users": inactive,
			"suspended user: online-status as seen by the admin": {because: "promise 4", edit: []string{
				`"online_status":"online"`, `"online_status":"offline"`, `"is_online":true`, `"is_online":false`,
			}},
			"activate": done("gina activated"), "ban": done("gina banned"), "activate banned": done("gina activated"),
			"activate pending account":                                done("dave activated"),
			"banned user: refresh":                                    inactive,
			"after force-logout: profile with the old access token":   {because: "promise 2", status: 401, body: badToken},
			"after force-logout: heartbeat with the old access token": {because: "promise 2", status: 401, body: badToken},
			"after force-logout: refresh":                             {because: "promise 2", status: 401, body: badRefresh},
		},
	}
}

func otherScene() scene {
	readOnly := deviation{because: "we have no such things, so nobody writes them", header: map[string]string{"allow": "GET, HEAD, OPTIONS"}}
	audited := func(id, target int, action, name, before, after string) string {
		return fmt.Sprintf(`{"id": %d, "actor_id": 1, "actor": "admin", "action": %q, "target_id": %d, "target": %q, "before": %s, `+
			`"after": %s, "reason": "", "ip_address": "<client ip>", "user_agent": "", "request_id": "", `+
			`"timestamp": "2026-11-23T13:03:19.532937Z"}`, id, action, target, name, before, after)
	}
	return scene{
		seed: func(s *stack) {
			crowd(s)
			bulk(s)
			dave := withStatus(user(49, "dave"), presence.AccountPending)
			dave.Email, dave.FirstName = "dave@offchat.local", "Dave"
			s.seed(dave)
		},
		caller: "admin", who: callers("alice", "groups as plain user", "create a permission group as plain user"),
		before: map[string]func(*stack) (string, string){
			"pending users approve": do(func(s *stack) {
				s.seed(withStatus(user(54, "newcomer"), presence.AccountPending), withStatus(user(55, "spammer"), presence.AccountPending))
			}),
		},
		// TestAnalyticsCountsPeople has our numbers.
		loose: []string{"online_status", "is_online", "body.userStats.total", "active", "pending", "suspended", "banned", "online", "away", "offline", "totalActivities"},
		differs: map[string]deviation{
			"pending users list (moderation tab)":               readOnly,
			"department-office-users (called by the users tab)": readOnly, "departments (called by the users tab)": readOnly,
			"notifications (called by the header bell)": readOnly, "chat conversations (called by the chat page)": readOnly,
			"groups as plain user": readOnly,
			"create a permission group as plain user": {
				because: "matrix: no write for users", status: 403, body: noPermission,
				header: map[string]string{"allow": "GET, HEAD, OPTIONS"},
			},
			"audit logs": {because: "acts of admins are written down", body: listPage(2, "null",
				audited(2, 55, "reject", "spammer", `{"deleted": false}`, `{"deleted": true}`),
				audited(1, 54, "approve", "newcomer", `{"email_verified": false, "status": "pending"}`, `{"email_verified": true, "status": "active"}`))},
			"dashboard stats (called by api.ts getDashboardStats)": {because: "an API answers JSON", html: true},
			"root":             {because: "JSON", html: true},
			"unknown api path": {because: "JSON", html: true},
			"health":           {because: "JSON", html: true},
		},
	}
}
