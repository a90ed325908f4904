package api

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/auth"
	"github.com/offchat/presence/wire"
)

// TestHostileJSON: every operation that takes a body refuses what two readers could read differently, what is nested
// without end, and numbers that nobody can hold, with a problem and never with a failure.
func TestHostileJSON(t *testing.T) {
	s := newStack(t)
	s.seed(admin(1, "boss"), user(7, "alice"))
	boss := s.login("boss").Access
	_, backend, err := s.auth.CreateAPIToken(t.Context(), auth.System, auth.NewAPIToken{Name: "all", Scopes: every}, presence.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	deep := func(open, end string) string { return strings.Repeat(open, 10_000) + "1" + strings.Repeat(end, 10_000) }
	bodies := map[string]string{
		"the same key twice":            `{"ids":["7"],"ids":["8"]}`,
		"the same key, escaped":         `{"ids":["7"],"\u0069ds":["8"]}`,
		"the same key twice, deep":      `{"a":[{"b":1,"b":2}]}`,
		"the same key, other case":      `{"ids":["7"],"IDS":["8"]}`,
		"the same key, other letters":   `{"ids":["7"],"id\u017f":["8"]}`,
		"arrays without end":            deep("[", "]"),
		"objects without end":           deep(`{"a":`, "}"),
		"an unknown field, deep":        `{"a":` + deep("[", "]") + `}`,
		"a number beyond float64":       `{"a":1e999}`,
		"a number of a thousand digits": `{"expected":` + strings.Repeat("9", 1000) + `}`,
		"NaN":                           `{"a":NaN}`,
		"two values":                    `{} {}`,
		"half a value":                  `{"ids":["7"`,
		"a scalar":                      `7`,
		"a byte order mark":             "\ufeff{}",
		"bytes that are no UTF-8":       "{\"a\":\"\xff\"}",
		"null":                          `null`,
	}
	asked := 0
	for path, item := range s.h.OpenAPI().Paths {
		for _, op := range []struct {
			method string
			there  bool
		}{
			{"POST", item.Post != nil && item.Post.RequestBody != nil},
			{"PUT", item.Put != nil && item.Put.RequestBody != nil},
			{"PATCH", item.Patch != nil && item.Patch.RequestBody != nil},
		} {
			if !op.there || strings.HasPrefix(path, "/api/v1/session") {
				continue
			}
			asked++
			token := boss
			if path == "/api/v1/touch" {
				token = backend
			}
			at := strings.NewReplacer("{id}", "7", "{view}", "00000000000000000000", "{job}", "00000000000000000000", "{webhook}", "1").Replace(path)
			for name, body := range bodies {
				w := s.ask(op.method, at, token, body)
				var p wire.Problem
				if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusBadRequest && w.Code != http.StatusUnprocessableEntity || p.Detail == "" {
					t.Errorf("%s %s, %s: %d %s", op.method, at, name, w.Code, w.Body)
				}
			}
		}
	}
	if asked < 10 {
		t.Errorf("only %d operations take a body: the test looks for them in the wrong place", asked)
	}
	if s.log.Len() > 0 {
		t.Errorf("bad input is nobody's fault here, but the log says %.500s", s.log)
	}
}

// TestOneReadingOnly: names may come again in another object, and a value may be spelled like a name.
func TestOneReadingOnly(t *testing.T) {
	for body, good := range map[string]bool{
		`{"a":"a","b":["a","a"],"c":{"a":{"a":1}},"d":[{"a":1},{"a":2}]}`: true,
		`["a","a",{"a":"b","b":"a"}]`:                                     true,
		`{"a":{},"a":[]}`:                                                 false,
		`{"a":[1,{}],"b":1,"a":1}`:                                        false,
		`{"a":{"b":{"c":1,"c":1}}}`:                                       false,
		`{"hide":1,"Hide":1}`:                                             false,
		strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth):     true,
		strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1): false,
	} {
		if err := checkJSON([]byte(body)); (err == nil) != good {
			t.Errorf("%.80s: %v", body, err)
		}
	}
}
