package api

import (
	"net/http"

	"github.com/offchat/presence"
)

const (
	get   = http.MethodGet
	post  = http.MethodPost
	put   = http.MethodPut
	del   = http.MethodDelete
	patch = http.MethodPatch
)

// register is every operation there is.
func (h *Handler) register() {
	h.registerBrowser()
	h.registerPresence()
	h.registerUsers()
	h.registerStatistics()
	h.registerWebhooks()
	h.registerTransitions()
	h.registerJobs()
	h.registerEdit()
	h.registerPersons()
	h.registerExports()
	h.registerViews()
	h.registerTimeouts()
	h.registerSystem()
	h.registerCreate()
	h.registerBackends()
	h.registerTrash()
	h.registerProxies()
}

// registerBackends are the operations that backends live on, and their tokens.
func (h *Handler) registerBackends() {
	add(h, operation{
		id: "touch", method: post, path: "/touch", tag: "Backends", need: Nobody, scopes: presence.ScopeTouch, errors: []int{400, 413, 415},
		summary: "Tell that up to 1,000 people are active",
		text: "As a heartbeat of each of them. Words about one person within 5 s count once, so tell as often as you like. " +
			"204: everybody was taken. 200: all but those named were.",
	}, h.touch)
	add(h, operation{
		id: "check_identity", method: post, path: "/identity/check", tag: "API tokens", need: Admins, errors: []int{400, 413, 415},
		summary: "Would this JWT be let in, and if not, exactly why",
		text:    "For setting an issuer up. Nothing is kept of the token, no session is opened and no account made.",
	}, h.checkIdentity)
	add(h, operation{
		id: "create_token", method: post, path: "/tokens", tag: "API tokens", need: Admins, errors: []int{400, 409, 413, 415},
		summary: "Make a token for a backend",
		text:    "The answer has the token, this once and never again; only its hash is kept. Scopes: " + scopesText + ".",
	}, h.createToken)
	add(h, operation{
		id: "list_tokens", method: get, path: "/tokens", tag: "API tokens", need: Admins, summary: "The tokens of backends",
		text: "Those that were revoked or expired in the last 90 days too. last_used_at is exact to a second, or to a minute for the use of another node.",
	}, h.tokens)
	add(h, operation{
		id: "revoke_token", method: del, path: "/tokens/{token}", tag: "API tokens", need: Admins, errors: []int{404},
		summary: "Revoke the token of a backend", text: "It is refused from then on, and its event streams are closed.",
	}, h.revokeToken)
}

func (h *Handler) registerPresence() {
	add(h, operation{
		id: "get_me", method: get, path: "/me", tag: "Me", need: SignedIn,
		summary: "Yourself: account, presence, privacy and sessions",
	}, h.me)
	add(h, operation{
		id: "get_my_privacy", method: get, path: "/me/privacy", tag: "Me", need: SignedIn, summary: "What you keep to yourself",
	}, h.privacy)
	add(h, operation{
		id: "set_my_privacy", method: put, path: "/me/privacy", tag: "Me", need: SignedIn, errors: []int{400, 413, 415},
		summary: "Change what you keep to yourself",
		text:    "It holds at once, everywhere, for everybody but moderators and admins. It is reciprocal: who hides does not see.",
	}, h.setPrivacy)
	add(h, operation{
		id: "get_my_status", method: get, path: "/me/status", tag: "Me", need: SignedIn, summary: "What you say about your status yourself",
	}, h.ownStatus)
	add(h, operation{
		id: "set_my_status", method: put, path: "/me/status", tag: "Me", need: SignedIn, errors: []int{400, 409, 413, 415},
		summary: "Say that you are away, or leave it to your devices",
		text: "It holds on all your devices and makes nobody present: who is not there is offline. An admin's hold outranks it. " +
			"To be seen by nobody, change your privacy instead.",
	}, h.setOwnStatus)
	add(h, operation{
		id: "end_my_sessions", method: del, path: "/me/sessions", tag: "Me", need: SignedIn,
		summary: "Log out everywhere, or everywhere else",
		text:    "With except=current the session of this request lives on.",
	}, h.endMySessions)
	add(h, operation{
		id: "end_my_session", method: del, path: "/me/sessions/{session}", tag: "Me", need: SignedIn, errors: []int{404},
		summary: "Log out one of your sessions",
	}, h.endMySession)

	add(h, operation{
		id: "query_presence", method: post, path: "/presence/query", tag: "Presence", need: SignedIn, scopes: presence.ScopeRead | presence.ScopeAdminRead, errors: []int{400, 413, 415},
		summary: "The presence of up to 1,000 people",
	}, h.queryPresence)
	add(h, operation{
		id: "get_presence", method: get, path: "/presence/{id}", tag: "Presence", need: SignedIn, scopes: presence.ScopeRead | presence.ScopeAdminRead, errors: []int{404},
		summary: "The presence of one person",
	}, h.onePresence)
	add(h, operation{
		id: "get_counts", method: get, path: "/counts", tag: "Presence", need: SignedIn, scopes: presence.ScopeRead | presence.ScopeAdminRead, summary: "How many people have each status",
		text: "Who hides their status counts as offline for everybody but moderators and admins; to who hides theirs, everybody else does.",
	}, h.counts)
	add(h, operation{
		id: "get_settings", method: get, path: "/settings", tag: "Presence", need: SignedIn, scopes: presence.ScopeRead | presence.ScopeAdminRead,
		summary: "The times that clients follow",
		text:    "Admins are told every setting of the server besides, with secrets masked.",
	}, h.settings)
}

func (h *Handler) registerUsers() {
	h.registerRoster()
	add(h, operation{
		id: "list_users", method: get, path: "/users", tag: "Users", need: Staff, scopes: presence.ScopeAdminRead, summary: "Users, by filters, in an order, in pages",
		text: "Somebody who does not change while the pages are read is met exactly once.",
	}, h.users)
	add(h, operation{
		id: "get_user", method: get, path: "/users/{id}", tag: "Users", need: Staff, scopes: presence.ScopeAdminRead, errors: []int{404},
		summary: "Everything about one person: why they have their status, sessions, last transitions",
	}, h.user)
	add(h, operation{
		id: "get_user_history", method: get, path: "/users/{id}/history", tag: "Users", need: Staff, scopes: presence.ScopeAdminRead, errors: []int{404},
		summary: "Who was there when: day by day, with totals",
		text:    "Computed from the stored changes of status. What they do not say is unknown, never guessed.",
	}, h.history)
	add(h, operation{
		id: "hold_user", method: post, path: "/users/{id}/hold", tag: "Users", need: Admins, errors: []int{400, 404, 409, 413, 415},
		summary: "Decide somebody's status, whatever is heard of them",
		text:    "Signals go on underneath; when the hold ends, they decide again.",
	}, h.setHold)
	add(h, operation{
		id: "lift_user_hold", method: del, path: "/users/{id}/hold", tag: "Users", need: Admins, errors: []int{404},
		summary: "Let signals decide again", text: "Lifting where there is no hold changes nothing.",
	}, h.liftHold)
	add(h, operation{
		id: "end_user_sessions", method: del, path: "/users/{id}/sessions", tag: "Users", need: Admins, scopes: presence.ScopeLogout, errors: []int{404, 409},
		summary: "Log somebody out everywhere",
	}, h.endUserSessions)
	add(h, operation{
		id: "force_logout_user", method: post, path: "/users/{id}/force-logout", tag: "Users", need: Admins, scopes: presence.ScopeLogout,
		errors: []int{400, 404, 409, 413, 415}, summary: "Log somebody out everywhere, saying why", text: "The reason goes into the audit.",
	}, h.forceLogout)
	add(h, operation{
		id: "end_user_session", method: del, path: "/users/{id}/sessions/{session}", tag: "Users", need: Admins, scopes: presence.ScopeLogout, errors: []int{404},
		summary: "Log out one of somebody's sessions",
	}, h.endUserSession)
}

func (h *Handler) registerStatistics() {
	add(h, operation{
		id: "get_concurrency", method: get, path: "/history/concurrency", tag: "Statistics", need: Staff, scopes: presence.ScopeAdminRead,
		summary: "How many people were there over time, and why that changed",
		text:    "From what was recorded every minute. A step in which no server was looking has nulls.",
	}, h.concurrency)
	h.registerWeek()
	add(h, operation{
		id: "list_audit", method: get, path: "/audit", tag: "Statistics", need: Admins, scopes: presence.ScopeAdminRead, summary: "What admins did, newest first",
	}, h.audit)
}
