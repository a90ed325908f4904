package compat

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/offchat/presence"
)

// checkAnswer holds every answer to hostile input against what must always be true.
func checkAnswer(t *testing.T, what string, w *httptest.ResponseRecorder) {
	t.Helper()
	if w.Code >= 500 {
		t.Errorf("%s: status %d: %s", what, w.Code, cut(w.Body.String()))
	}
	for _, inner := range []string{"goroutine ", ".go:", "SELECT ", "sqlite", "panic"} {
		if strings.Contains(w.Body.String(), inner) {
			t.Errorf("%s: the answer shows our inside: %s", what, cut(w.Body.String()))
		}
	}
	if w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s: headers are missing: %v", what, w.Header())
	}
}

// TestIDs: an id in a path is digits, and only those of a user that exists find one (S25).
func TestIDs(t *testing.T) {
	s := newStack(t)
	founders(s)
	token := s.login("admin").Access
	for _, id := range []string{
		"-1", "0", "00", "2147483648", "9223372036854775807", "9223372036854775808", "99999999999999999999999", "1e3", "0x1",
		"1%00", "%31%00", "1.0", "+1", "%2B1", "１", "1%20", "..%2f1", "1%2f..%2f1", "1;2", "abc", "online%20",
	} {
		for _, tail := range []string{"", "online-status/", "set-online-status/", "ban/", "force-logout/"} {
			method := "POST"
			if tail == "" || tail == "online-status/" {
				method = "GET"
			}
			what := method + " " + id + "/" + tail
			w := s.ask(method, "/api/users/admin/users/"+id+"/"+tail, token, "")
			checkAnswer(t, what, w)
			if w.Code != http.StatusNotFound {
				t.Errorf("%s: %d, want 404: %s", what, w.Code, cut(w.Body.String()))
			}
		}
	}
	for _, id := range []string{"2", "02", "000000000000000000000000000002"} {
		s.want(200, "GET", "/api/users/admin/users/"+id+"/", token, "")
	}
	for _, path := range []string{"/api/users/admin/users/../users/2/", "/api//users/profile/", "/api/users/./profile/", "/api/users/admin/users//"} {
		if w := s.ask("GET", path, token, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d, want 404", path, w.Code)
		}
	}
}

// TestMassAssignment: nobody changes what an endpoint does not name (S26).
func TestMassAssignment(t *testing.T) {
	s := newStack(t)
	founders(s)
	greedy := `"role":"admin","is_staff":true,"is_superuser":true,"status":"pending","is_active":false,"online_status":"away",` +
		`"last_seen":"2001-01-01T00:00:00Z","id":1,"email_verified":true,"is_approved":false,"created_at":"2001-01-01T00:00:00Z",` +
		`"join_date":"2001-01-01T00:00:00Z","message_count":9,"password_hash":"!","Role":"admin","ROLE":"admin","deleted_at":"2001-01-01T00:00:00Z"`
	s.want(201, "POST", "/api/users/register/", "", `{"username":"eve","password":"Alice-pass-1",`+greedy+`}`)
	s.want(200, "PUT", "/api/users/profile/", s.login("eve").Access, `{"first_name":"Eve",`+strings.Replace(greedy, `"id":1`, `"id":1,"password":"Other-pass-1","username":"admin2"`, 1)+`}`)
	eve := s.account("eve")
	if eve.Role != presence.RoleUser || eve.Staff || eve.Status != presence.AccountActive || !eve.Active || eve.EmailVerified ||
		eve.CreatedAt.Year() < 2020 || eve.JoinedAt.Year() < 2020 || eve.FirstName != "Eve" {
		t.Errorf("the account took what it was not given: %+v", eve)
	}
	s.again("eve") // the password is still the old one

	before := s.want(200, "GET", "/api/users/admin/users/3/", s.login("admin").Access, "")
	s.want(200, "PUT", "/api/users/admin/users/3/", s.login("admin").Access,
		`{"id":1,"is_staff":true,"is_superuser":true,"online_status":"away","last_seen":"2001-01-01T00:00:00Z","created_at":"2001-01-01T00:00:00Z",`+
			`"join_date":"2001-01-01T00:00:00Z","is_online":false,"email_verified":true,"tokens_after":1}`)
	after := s.want(200, "GET", "/api/users/admin/users/3/", s.login("admin").Access, "")
	delete(before, "updated_at")
	delete(after, "updated_at")
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("an admin's PUT moved what is not writable:\n%v\n%v", before, after)
	}
}

// hostileBodies are bodies that no endpoint takes (S27).
var hostileBodies = map[string]string{
	"cut off":                `{"username":`,
	"array":                  `[]`,
	"array of objects":       `[{"username":"a"}]`,
	"null":                   `null`,
	"number":                 `123`,
	"string":                 `"text"`,
	"bool":                   `true`,
	"NaN":                    `{"status":NaN}`,
	"Infinity":               `{"status":-Infinity}`,
	"two objects":            `{}{}`,
	"trailing text":          `{} x`,
	"trailing comma":         `{"a":1,}`,
	"single quotes":          `{'a':1}`,
	"bare key":               `{a:1}`,
	"key twice":              `{"status":"away","status":"online"}`,
	"key twice, escaped":     `{"status":"away","\u0073tatus":"online"}`,
	"invalid UTF-8":          "{\"status\":\"\xff\xfe\"}",
	"invalid UTF-8 key":      "{\"\xff\":1}",
	"UTF-16":                 "\xff\xfe{\x00}\x00",
	"BOM":                    "\xef\xbb\xbf{}",
	"deep arrays":            `{"a":` + strings.Repeat("[", 10000) + strings.Repeat("]", 10000) + `}`,
	"deep objects":           strings.Repeat(`{"a":`, 8000) + "1" + strings.Repeat("}", 8000),
	"deep, never closed":     strings.Repeat("[", 60000),
	"comment":                `{/* */}`,
	"control character":      "{\"a\":\"\x01\"}",
	"form text":              `username=alice&password=x`,
	"half an escape":         `{"a":"\u12"}`,
	"number with zero ahead": `{"a":01}`,
}

// TestHostileBodies: every POST and PUT answers a bad body with 400 and a plain sentence, and does nothing.
func TestHostileBodies(t *testing.T) {
	s := newStack(t)
	founders(s)
	s.seed(withStatus(user(3, "waiting"), presence.AccountPending))
	s.login("alice")
	token := s.login("admin").Access
	for _, r := range s.h.Routes() {
		if r.Path == "heartbeat/" { // its body is not looked at, as recorded
			continue
		}
		for _, m := range r.Methods {
			if m.Name != "POST" && m.Name != "PUT" || m.Name == "POST" && !strings.Contains(r.Allow, "POST") {
				continue
			}
			path := strings.Replace(r.Prefixes[0]+r.Path, "{id}", "2", 1)
			if strings.Contains(path, "pending-users") {
				path = strings.Replace(path, "/2/", "/3/", 1)
			}
			for name, body := range hostileBodies {
				what := m.Name + " " + path + " with " + name
				w := s.ask(m.Name, path, token, body)
				checkAnswer(t, what, w)
				if w.Code != 400 || strings.Contains(w.Body.String(), "['") {
					t.Errorf("%s: %d %s", what, w.Code, cut(w.Body.String()))
				}
			}
		}
	}
	if s.status("alice") != presence.Online || s.account("waiting").Status != presence.AccountPending {
		t.Error("a refused request did something")
	}
	s.want(200, "GET", "/api/users/profile/", token, "") // the admin was not logged out either
}

// TestWrongTypes: a field of the wrong type is a 400 in the endpoint's own style.
func TestWrongTypes(t *testing.T) {
	s := newStack(t)
	founders(s)
	token := s.login("admin").Access
	for _, path := range []string{"register/", "login/"} {
		for _, value := range []string{`1`, `1.5`, `true`, `[]`, `{}`, `["a"]`, `"\u0000"`, `"a\u0000b"`, `"\ud800"`} {
			for _, body := range []string{`{"username":` + value + `,"password":"Alice-pass-1"}`, `{"username":"carol","password":` + value + `}`} {
				answer := s.want(400, "POST", "/api/auth/"+path, "", body)
				if text, ok := answer["error"].(string); !ok || text == "" || len(answer) != 1 {
					t.Errorf("%s %s: %v", path, body, answer)
				}
			}
		}
	}
	fields := map[string][]string{
		"username":      {`1`, `null`, `true`, `[]`, `{}`, `""`, `" "`, `"a\u0000"`, `"fr@nk!"`, `"` + strings.Repeat("u", 151) + `"`},
		"email":         {`1`, `null`, `[]`, `""`, `"nope"`, `"a b@example.test"`, `"a@b@c.test"`, `"` + strings.Repeat("e", 250) + `@example.test"`},
		"password":      {`12345678`, `null`, `"short"`, `"` + strings.Repeat("p", 129) + `"`},
		"role":          {`"root"`, `1`, `null`, `"ADMIN"`, `""`, `["admin"]`},
		"status":        {`"x"`, `1`, `null`, `"Active"`, `{}`},
		"is_active":     {`"maybe"`, `2`, `null`, `[]`},
		"first_name":    {`1`, `null`, `"` + strings.Repeat("f", 151) + `"`},
		"bio":           {`{}`, `null`, `"` + strings.Repeat("b", 501) + `"`},
		"avatar":        {`1`, `"javascript:alert(1)"`, `"data:text/html,x"`, `"//evil.test/x"`, `"` + strings.Repeat("a", 3000) + `"`},
		"online_status": {`"x"`, `"ONLINE"`, `1`, `""`, `null`},
	}
	for field, values := range fields {
		for _, value := range values {
			answer := s.want(400, "PUT", "/api/users/admin/users/2/", token, `{"`+field+`":`+value+`}`)
			if list, ok := answer[field].([]any); !ok || len(list) != 1 || list[0] == "" {
				t.Errorf("PUT %s %s: %v", field, cut(value), answer)
			}
		}
	}
	for _, status := range []string{`"ONLINE"`, `"busy"`, `1`, `""`, `null`, `[]`, `true`} { // S30
		s.want(400, "POST", "/api/users/admin/users/2/set-online-status/", token, `{"status":`+status+`}`)
	}
	if s.status("alice") != presence.Offline {
		t.Error("a refused status was set")
	}
}

// TestContentTypes: the first door takes JSON and forms; a page elsewhere cannot send either without asking
// (S28).
func TestContentTypes(t *testing.T) {
	s := newStack(t)
	founders(s)
	token := s.login("alice").Access
	for kind, ok := range map[string]bool{
		"application/json": true, "application/json; charset=utf-8": true, "APPLICATION/JSON": true,
		"": false, "text/plain": false, "application/x-www-form-urlencoded": false, "text/plain; a=application/json": false,
		"application/jsonx": false, "application/json, text/plain": false, ";": false, "application/problem+json": false,
	} {
		w := s.ask("POST", "/api/users/heartbeat/", token, "", "Content-Type", kind)
		if (w.Code == 200) != ok || !ok && w.Code != 400 {
			t.Errorf("content type %q: %d", kind, w.Code)
		}
	}
	form := "--x\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nalice\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + testPassword + "\r\n" +
		"--x\r\nContent-Disposition: form-data; name=\"avatar\"; filename=\"a.png\"\r\n\r\n\x89PNG\r\n--x--\r\n"
	s.want(200, "POST", "/api/auth/login/", "", form, "Content-Type", "multipart/form-data; boundary=x")
	s.want(400, "POST", "/api/auth/login/", "", form, "Content-Type", "multipart/form-data")
	s.want(400, "POST", "/api/auth/login/", "", form[:60], "Content-Type", "multipart/form-data; boundary=x")
	s.want(400, "POST", "/api/auth/login/", "", strings.Replace(form, "alice", "al\xffice", 1), "Content-Type", "multipart/form-data; boundary=x")
	s.want(400, "POST", "/api/auth/login/", "", strings.Replace(form, `"password"`, `"username"`, 1), "Content-Type", "multipart/form-data; boundary=x")
}

// TestMethods: nothing overrides the method, and HEAD is only where it was recorded (S29).
func TestMethods(t *testing.T) {
	s := newStack(t)
	founders(s)
	token := s.login("alice").Access
	for _, header := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"} {
		if w := s.ask("GET", "/api/users/heartbeat/", token, "", header, "POST"); w.Code != 405 {
			t.Errorf("%s: %d", header, w.Code)
		}
	}
	if w := s.ask("TRACE", "/api/users/profile/", token, ""); w.Code != 405 || strings.Contains(w.Body.String(), token) {
		t.Errorf("TRACE: %d %s", w.Code, w.Body)
	}
	if w := s.ask("GE'T", "/api/users/profile/", token, ""); w.Code != 405 || w.Body.String() != `{"detail":"Method \"GE'T\" not allowed."}` {
		t.Errorf("odd method: %d %s", w.Code, w.Body)
	}
	server := httptest.NewServer(s.h)
	defer server.Close()
	for path, status := range map[string]int{"/api/users/profile/": 200, "/api/users/all-users/": 405, "/api/users/profile": 301} {
		r, _ := http.NewRequestWithContext(t.Context(), "HEAD", server.URL+path, http.NoBody)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if text := readAll(t, answer.Body); answer.StatusCode != status || text != "" {
			t.Errorf("HEAD %s: %d %q", path, answer.StatusCode, text)
		}
		_ = answer.Body.Close()
	}
}

// TestPaging: paging that makes no sense is the default or a 404, never all rows and never an error of ours
// (S31, S32).
func TestPaging(t *testing.T) {
	s := newStack(t)
	crowd(s)
	bulk(s)
	token := s.login("admin").Access
	for query, rows := range map[string]int{
		"": 20, "per_page=0": 20, "per_page=-1": 20, "per_page=abc": 20, "per_page=": 20, "per_page=1e9": 20, "per_page=1000000000": 43,
		"per_page=99999999999999999999": 43, "per_page=7": 7, "per_page=7&page=7": 1, "per_page=7&page=last": 1, "page=last": 3, "page=": 20,
		"per_page=3&per_page=5": 5, "page_size=5": 20, "limit=1": 20, "search=" + strings.Repeat("x", 10000): 0,
		"search=%27%20OR%201=1--": 0, "search=_": 0, "search=%25": 0, "search=%00": 0, "search=%ff": 0, "search=bulk": 20, "search=%20bulk1%20": 10,
		"ordering=password": 20, "ordering=(select)": 20, "ordering=-username,id": 20, "status=ACTIVE": 0, "role=": 20, "online_status=busy": 0,
		"online_status=online": 1, "is_active=maybe": 0, "is_active=true&per_page=1000": 43, "is_active=False": 0,
		"ordering=-last_seen&per_page=1000": 43, "ordering=last_seen&page=last": 3, "ordering=-last_seen&role=moderator": 3,
		"online_status=offline&ordering=username&per_page=1000": 42, "online_status=online&ordering=-last_seen": 1, "online_status=away": 0,
		"online_status=offline&status=pending&ordering=-last_seen": 7, "password=x": 20, "%zz": 20, "a;b": 20,
	} {
		answer := s.want(200, "GET", "/api/users/admin/users/?"+query, token, "")
		if got := len(answer["results"].([]any)); got != rows {
			t.Errorf("?%s: %d rows, want %d", cut(query), got, rows)
		}
		if total := int(answer["count"].(float64)); rows < 20 && !strings.Contains(query, "page") && total != rows {
			t.Errorf("?%s: count %d of %d rows", cut(query), total, rows)
		}
	}
	for _, page := range []string{"0", "-1", "abc", "4", "1e1", "9223372036854775808", "99999999999999999999", "1.0", "%00", "1 OR 1"} {
		for _, more := range []string{"", "&ordering=-last_seen", "&online_status=offline"} {
			answer := s.want(404, "GET", "/api/users/admin/users/?page="+url.QueryEscape(page)+more, token, "")
			if answer["detail"] != "Invalid page." {
				t.Errorf("page %s%s: %v", page, more, answer)
			}
		}
	}
	for query, rows := range map[string]int{"": 1, "page=99": 0, "page=0": 0, "page=abc": 0, "page=last": 1, "per_page=0": 1, "page=99999999999999999999": 0} {
		answer := s.want(200, "GET", "/api/users/admin/users/online/?"+query, token, "")
		if got := len(answer["online_users"].([]any)); got != rows || answer["count"] != 1.0 {
			t.Errorf("online ?%s: %d rows of %v", query, got, answer["count"])
		}
	}
}

// TestHugeBodies: more than 64 KiB is refused, announced or not, without being taken in (S34).
func TestHugeBodies(t *testing.T) {
	s := newStack(t)
	founders(s)
	token := s.login("alice").Access
	for _, path := range []string{"/api/users/heartbeat/", "/api/auth/login/", "/api/users/logout/", "/api/users/profile/"} {
		method := "POST"
		if strings.HasSuffix(path, "profile/") {
			method = "PUT"
		}
		for _, announced := range []int64{10 << 20, -1} {
			endless := &counted{}
			r := httptest.NewRequestWithContext(t.Context(), method, "http://base.test"+path, endless)
			r.ContentLength = announced
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			s.h.ServeHTTP(w, r)
			checkAnswer(t, path, w)
			if w.Code != http.StatusRequestEntityTooLarge || endless.read > 128<<10 {
				t.Errorf("%s of %d bytes: %d after %d bytes", path, announced, w.Code, endless.read)
			}
		}
	}
	s.want(200, "GET", "/api/users/profile/", token, "")
	s.want(400, "POST", "/api/users/logout/", token, `{"refresh_token":["x"]}`)
	s.want(200, "POST", "/api/users/heartbeat/", token, strings.Repeat(" ", maxBody))
}

// counted is a body without end.
type counted struct{ read int }

func (c *counted) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	c.read += len(p)
	return len(p), nil
}

// TestAuthorizationHeader: one header, one scheme, one token (S10, S16).
func TestAuthorizationHeader(t *testing.T) {
	s := newStack(t)
	founders(s)
	token := s.login("alice").Access
	for header, ok := range map[string]bool{
		"Bearer " + token: true, "Bearer   " + token + " ": true, "Bearer\t" + token: true,
		"bearer " + token: false, "BEARER " + token: false, "Bearer": false, "Bearer ": false, "Bearer " + token + " " + token: false,
		"Bearer " + token + "," + token: false, token: false, "Token " + token: false, "Basic YTpi": false, " ": false,
		"Bearer " + token[:len(token)-1]: false, "Bearer " + token + "=": false, "Bearer " + strings.Repeat("a", 65536): false,
	} {
		w := s.ask("GET", "/api/users/profile/", "", "", "Authorization", header)
		checkAnswer(t, header, w)
		if ok && w.Code != 200 || !ok && w.Code != 401 {
			t.Errorf("%q: %d", cut(header), w.Code)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), "GET", "http://base.test/api/users/profile/", http.NoBody)
	r.Header["Authorization"] = []string{"Bearer " + token, "Bearer " + token}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	if w.Code != 401 {
		t.Errorf("two headers: %d", w.Code)
	}
	s.want(401, "GET", "/api/users/profile/?token="+token, "", "")
	if strings.Contains(s.log.String(), token) {
		t.Error("a token is in the log")
	}
}

// FuzzBody: no body makes the reader fail in another way than Invalid, and what it accepts is an object that
// the standard library accepts too.
func FuzzBody(f *testing.F) {
	for _, body := range hostileBodies {
		if len(body) < 1000 {
			f.Add(body)
		}
	}
	f.Add(`{"username":"alice","password":"x","n":1,"o":{"a":[1,2,{}]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		b, err := parseObject([]byte(text))
		if err != nil {
			if presence.KindOf(err) != presence.Invalid {
				t.Fatalf("error of kind %v: %v", presence.KindOf(err), err)
			}
			return
		}
		for name, v := range b {
			s, isText := v.string()
			if isText && strings.ContainsRune(s, '\uFFFD') {
				t.Fatalf("%q is not text", s)
			}
			if _, ok := b.text(name); ok && !isText && !v.null() {
				t.Fatalf("%s was taken for text", v.raw)
			}
		}
	})
}

// FuzzForm: no form makes the reader fail in another way than Invalid.
func FuzzForm(f *testing.F) {
	f.Add("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n", "x")
	f.Fuzz(func(t *testing.T, text, boundary string) {
		if _, err := parseForm([]byte(text), boundary); err != nil && presence.KindOf(err) != presence.Invalid {
			t.Fatalf("error of kind %v: %v", presence.KindOf(err), err)
		}
	})
}
