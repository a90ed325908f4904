package compat

import (
	"net/http"
	"strings"
)

// Access says who may use a method of a route.
type Access uint8

// The accesses, each letting fewer people through than the one before.
const (
	Anyone   Access = iota // no token is looked at
	SignedIn               // any good access token
	Readers                // moderators and admins
	Admins                 // admins
)

// Method is one method of a route.
type Method struct {
	Name   string
	Access Access
	// Head: HEAD is answered like this GET, without a body.
	Head bool

	do func(*call) error
	// ownSignal: the endpoint tells the engine itself, so the request does not count as activity.
	ownSignal bool
	// beat: this is the heartbeat, which is counted.
	beat bool
	// inactiveWords: accounts that may not be online are answered in the recorded words instead of 401.
	inactiveWords bool
}

// Route is one address of the contract, under one or two prefixes.
type Route struct {
	// Prefixes are what Path is put behind; every route of the users app exists under two.
	Prefixes []string
	// Path is a ServeMux pattern without method and prefix. It ends in a slash.
	Path string
	// Allow is the Allow header, in the recorded order. The route answers exactly these methods.
	Allow   string
	Methods []Method

	style style
	least Access
	allow []string // Allow, ready for a header
}

// socketPath is where the WebSocket is.
const socketPath = "/ws/presence/"

var (
	usersApp  = []string{"/api/users/", "/api/auth/"}
	adminApp  = []string{"/api/admin/"}
	otherApps = []string{"/api/"}
)

// list is every route there is. The style says how errors look that an endpoint does not word itself.
func (h *Handler) list() []Route {
	return []Route{
		handMade(usersApp, "login/", "POST, OPTIONS", post(Anyone, h.login)),
		handMade(usersApp, "register/", "POST, OPTIONS", post(Anyone, h.register)),
		handMade(usersApp, "logout/", "POST, OPTIONS", ownSignal(post(SignedIn, h.logout))),
		framework(usersApp, "refresh/", "POST, OPTIONS", post(Anyone, h.refresh)),
		framework(usersApp, "verify/", "POST, OPTIONS", post(Anyone, h.verify)),
		framework(usersApp, "profile/", "GET, PUT, HEAD, OPTIONS", getHead(SignedIn, h.profile), put(SignedIn, h.updateProfile)),
		framework(usersApp, "activity/", "GET, HEAD, OPTIONS", getHead(SignedIn, h.activity)),
		framework(usersApp, "statistics/", "GET, HEAD, OPTIONS", getHead(SignedIn, h.statistics)),

		handMade(usersApp, "heartbeat/", "OPTIONS, POST", beat(post(SignedIn, h.heartbeat))),
		handMade(usersApp, "refresh-status/", "OPTIONS, POST", inactiveWords(post(SignedIn, h.refreshStatus))),
		handMade(usersApp, "all-users/", "OPTIONS, GET", get(SignedIn, h.allUsers)),
		handMade(usersApp, "debug/heartbeat/{name}/", "OPTIONS, GET", get(Admins, h.debugHeartbeat)),

		handMade(usersApp, "admin/users/", "GET, POST, HEAD, OPTIONS", getHead(Readers, h.adminUsers), post(Admins, h.createUser)),
		handMade(usersApp, "admin/users/online/", "OPTIONS, GET", get(SignedIn, h.onlineUsers)),
		handMade(usersApp, "admin/users/{id}/", "GET, PUT, DELETE, HEAD, OPTIONS",
			getHead(Readers, h.adminUser), put(Admins, h.updateUser), del(Admins, h.deleteUser)),
		handMade(usersApp, "admin/users/{id}/online-status/", "OPTIONS, GET", get(SignedIn, h.onlineStatus)),
		handMade(usersApp, "admin/users/{id}/set-online-status/", "OPTIONS, POST", post(Admins, h.setOnlineStatus)),
		handMade(usersApp, "admin/users/{id}/approve/", "POST, OPTIONS", post(Admins, h.approve)),
		handMade(usersApp, "admin/users/{id}/suspend/", "POST, OPTIONS", post(Admins, h.suspend)),
		handMade(usersApp, "admin/users/{id}/ban/", "POST, OPTIONS", post(Admins, h.ban)),
		handMade(usersApp, "admin/users/{id}/activate/", "POST, OPTIONS", post(Admins, h.activate)),
		handMade(usersApp, "admin/users/{id}/force-logout/", "POST, OPTIONS", post(Admins, h.forceLogout)),

		framework(adminApp, "pending-users/", "GET, HEAD, OPTIONS", getHead(Readers, h.pendingUsers), absent(h)),
		framework(adminApp, "pending-users/stats/", "GET, HEAD, OPTIONS", getHead(Readers, h.pendingStats)),
		framework(adminApp, "pending-users/{id}/approve/", "POST, OPTIONS", post(Admins, h.approvePending)),
		framework(adminApp, "pending-users/{id}/reject/", "POST, OPTIONS", post(Admins, h.rejectPending)),
		framework(adminApp, "audit-logs/", "GET, HEAD, OPTIONS", getHead(Admins, h.auditLogs)),
		handMade(otherApps, "analytics/data/", "OPTIONS, GET", get(Readers, h.analytics)),

		// What the old web client asks for and this server does not have: always empty, never written.
		framework(usersApp, "departments/", "GET, HEAD, OPTIONS", getHead(SignedIn, h.nothing), absent(h)),
		framework(usersApp, "department-office-users/", "GET, HEAD, OPTIONS", getHead(SignedIn, h.nothing), absent(h)),
		framework(usersApp, "notifications/", "GET, HEAD, OPTIONS", getHead(SignedIn, h.nothing), absent(h)),
		framework(usersApp, "groups/", "GET, HEAD, OPTIONS", getHead(SignedIn, h.nothing), absent(h)),
		framework(otherApps, "chat/conversations/", "GET, HEAD, OPTIONS", getHead(SignedIn, h.nothing), absent(h)),
	}
}

func route(s style, prefixes []string, path, allow string, methods []Method) Route {
	least := Admins
	for _, m := range methods {
		least = min(least, m.Access)
	}
	return Route{Prefixes: prefixes, Path: path, Allow: allow, Methods: methods, style: s, least: least, allow: []string{allow}}
}

func handMade(prefixes []string, path, allow string, methods ...Method) Route {
	return route(styleError, prefixes, path, allow, methods)
}

func framework(prefixes []string, path, allow string, methods ...Method) Route {
	return route(styleDetail, prefixes, path, allow, methods)
}

func get(a Access, do func(*call) error) Method {
	return Method{Name: http.MethodGet, Access: a, do: do}
}

func post(a Access, do func(*call) error) Method {
	return Method{Name: http.MethodPost, Access: a, do: do}
}

func put(a Access, do func(*call) error) Method {
	return Method{Name: http.MethodPut, Access: a, do: do}
}

func del(a Access, do func(*call) error) Method {
	return Method{Name: http.MethodDelete, Access: a, do: do}
}

func getHead(a Access, do func(*call) error) Method {
	m := get(a, do)
	m.Head = true
	return m
}

func ownSignal(m Method) Method {
	m.ownSignal = true
	return m
}

func beat(m Method) Method {
	m.beat = true
	return inactiveWords(ownSignal(m))
}

func inactiveWords(m Method) Method {
	m.inactiveWords = true
	return m
}

// absent is a write to something we do not have: forbidden to most, and for admins a method that is not there.
func absent(h *Handler) Method { return post(Admins, h.methodNotAllowed) }

// method finds what answers the name. It reports false when nothing does.
func (r *Route) method(name string) (Method, bool) {
	for _, m := range r.Methods {
		if m.Name == name || m.Head && name == http.MethodHead {
			return m, true
		}
	}
	return Method{}, false
}

// Least is the access that is needed before a caller learns that a method does not exist.
func (r *Route) Least() Access { return r.least }

// newMux puts every route on a ServeMux, with and without the slash at its end. Those without a wildcard are
// returned by their path as well: a beat finds its route in one look, a sixth of what a ServeMux takes.
func newMux(h *Handler) (*http.ServeMux, map[string]*Route) {
	mux, exact := http.NewServeMux(), map[string]*Route{}
	for i := range h.routes {
		r := &h.routes[i]
		for _, prefix := range r.Prefixes {
			if !strings.Contains(r.Path, "{") {
				exact[prefix+r.Path] = r
			}
			mux.HandleFunc(prefix+r.Path+"{$}", func(w http.ResponseWriter, req *http.Request) { h.serve(w, req, r) })
			mux.HandleFunc(strings.TrimSuffix(prefix+r.Path, "/"), func(w http.ResponseWriter, req *http.Request) {
				h.slashless(w, req, r)
			})
		}
	}
	mux.HandleFunc(socketPath+"{$}", h.sockets.serve)
	mux.HandleFunc(strings.TrimSuffix(socketPath, "/"), func(w http.ResponseWriter, req *http.Request) { redirect(w, req) })
	mux.HandleFunc("/", h.notFound)
	return mux, exact
}
