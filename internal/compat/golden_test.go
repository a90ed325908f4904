package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// recording is a file of testdata: exchanges with the original system, in the order in which they happened.
type recording struct {
	Group     string     `json:"group"`
	Exchanges []exchange `json:"exchanges"`
}

type exchange struct {
	Name    string `json:"name"`
	Request *struct {
		Method      string            `json:"method"`
		Path        string            `json:"path"`
		Auth        string            `json:"auth"`
		Body        json.RawMessage   `json:"body"`
		ContentType json.RawMessage   `json:"content_type"` // null: none was sent
		Headers     map[string]string `json:"headers"`
	} `json:"request"`
	Response struct {
		Status  int               `json:"status"`
		Headers map[string]string `json:"headers"`
		Body    json.RawMessage   `json:"body"`
	} `json:"response"`
}

// deviation is an answer of ours that differs on purpose.
type deviation struct {
	// because is the promise of the contract's list that is kept, or why else.
	because string
	status  int // 0: as recorded
	body    string
	// edit makes our answer out of the recorded one: pairs of what was there and what is.
	edit []string
	// header is what differs among the headers; an empty value: not sent.
	header map[string]string
	// html: the original sent a page where ours sends JSON.
	html bool
}

// scene says how one recording is replayed.
type scene struct {
	seed func(*stack)
	// who is the caller of an exchange with a bearer token; caller is the usual one.
	caller string
	who    map[string]string
	// before runs ahead of an exchange; it may return a token and a body that replace the usual ones.
	before  map[string]func(*stack) (token, body string)
	differs map[string]deviation
	// loose are keys whose values depend on who else was in the recorded database.
	loose []string
}

// TestGolden replays every recorded exchange. Statuses, headers and bodies are the recorded ones, field for
// field and in order, but for dates, tokens and the deviations that the scenes name.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no recordings: %v", err)
	}
	all := scenes()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r recording
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if len(r.Exchanges) == 0 {
			continue // observations, tested by hand
		}
		how, ok := all[r.Group]
		if !ok {
			t.Errorf("%s is not replayed", file)
			continue
		}
		delete(all, r.Group)
		t.Run(r.Group, func(t *testing.T) { how.play(t, r) })
	}
	for group := range all {
		t.Errorf("scene %s has no recording", group)
	}
}

func (how scene) play(t *testing.T, r recording) {
	s := newStack(t)
	if how.seed != nil {
		how.seed(s)
	}
	names := map[string]bool{}
	for _, e := range r.Exchanges {
		names[e.Name] = true
		if e.Request == nil {
			continue // a description of tokens
		}
		s.t = t
		w := how.ask(s, e)
		for _, wrong := range how.compare(e, w) {
			t.Errorf("%s: %s\n\tours: %d %s", e.Name, wrong, w.Code, cut(w.Body.String()))
		}
	}
	for name := range how.differs {
		if !names[name] {
			t.Errorf("deviation %q names no exchange", name)
		}
	}
}

// ask sends an exchange's request the way it was recorded.
func (how scene) ask(s *stack, e exchange) *httptest.ResponseRecorder {
	body := string(e.Request.Body)
	if body == "null" {
		body = ""
	}
	if strings.HasPrefix(body, `"`) { // text that is not JSON is recorded as a string
		_ = json.Unmarshal(e.Request.Body, &body)
	}
	token := ""
	if before := how.before[e.Name]; before != nil {
		var other string
		if token, other = before(s); other != "" {
			body = other
		}
	}
	if token == "" && strings.HasPrefix(e.Request.Auth, "bearer") {
		who := how.who[e.Name]
		if who == "" {
			who = how.caller
		}
		token = how.token(s, e.Request.Auth, who)
	}
	r := httptest.NewRequestWithContext(s.t.Context(), e.Request.Method, "http://base.test"+e.Request.Path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	switch kind := string(e.Request.ContentType); kind {
	case "":
		r.Header.Set("Content-Type", "application/json")
	case "null":
	default:
		r.Header.Set("Content-Type", strings.Trim(kind, `"`))
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for key, value := range e.Request.Headers {
		r.Header.Set(key, value)
	}
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w
}

func (how scene) token(s *stack, kind, who string) string {
	id := s.account(who).ID
	switch kind {
	case "bearer, expired":
		return foreign("access", id, longAgo)
	case "bearer, refresh token":
		return s.login(who).Refresh
	case "bearer, bad signature":
		good := s.login(who).Access
		return good[:len(good)-6] + "AAAAAA"
	case "bearer, alg none":
		_, rest, _ := strings.Cut(s.login(who).Access, ".")
		payload, _, _ := strings.Cut(rest, ".")
		return "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + payload + "."
	default:
		return s.login(who).Access
	}
}

// compare returns what is wrong with our answer.
func (how scene) compare(e exchange, w *httptest.ResponseRecorder) (wrong []string) {
	differs := how.differs[e.Name]
	status, body := e.Response.Status, []byte(e.Response.Body)
	if differs.status != 0 {
		status = differs.status
	}
	if differs.body != "" {
		body = []byte(differs.body)
	}
	if differs.edit != nil {
		var compact bytes.Buffer
		_ = json.Compact(&compact, body)
		body = []byte(strings.NewReplacer(differs.edit...).Replace(compact.String()))
	}
	if w.Code != status {
		wrong = append(wrong, fmt.Sprintf("status %d, want %d", w.Code, status))
	}
	for key, value := range e.Response.Headers {
		if differs.status == http.StatusUnauthorized && key == "www-authenticate" {
			continue
		}
		if other, ok := differs.header[key]; ok {
			value = other
		} else if differs.html && (key == "content-type" || key == "vary" || key == "set-cookie") {
			continue
		}
		if strings.HasPrefix(key, "access-control-") {
			continue // CORS is the server's, not ours
		}
		if got := w.Header().Get(key); got != value {
			wrong = append(wrong, fmt.Sprintf("header %s is %q, want %q", key, got, value))
		}
	}
	if w.Code == http.StatusUnauthorized && e.Request.Auth != "none" && w.Header().Get("Www-Authenticate") != `Bearer realm="api"` {
		wrong = append(wrong, "401 without WWW-Authenticate")
	}
	if string(body) == `""` || string(body) == `"(an HTML page)"` {
		if differs.html || w.Body.Len() == 0 {
			return wrong
		}
	}
	m := matcher{loose: how.loose}
	want, err := readTree(body)
	if err != nil {
		return append(wrong, "bad expectation: "+err.Error())
	}
	got, err := readTree(w.Body.Bytes())
	if err != nil {
		return append(wrong, "answer is no JSON: "+err.Error())
	}
	m.match("body", want, got)
	return append(wrong, m.wrong...)
}

// node is a JSON value that remembers the order of its fields.
type node struct {
	keys   []string // of an object
	values []node   // of an object or array
	kind   byte     // '{', '[', 's', 'n', 'b', '0'
	text   string
}

func readTree(text []byte) (node, error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	return readNode(dec)
}

func readNode(dec *json.Decoder) (node, error) {
	token, err := dec.Token()
	if err != nil {
		return node{}, err
	}
	switch v := token.(type) {
	case json.Delim:
		n := node{kind: byte(v)}
		for dec.More() {
			if n.kind == '{' {
				key, err := dec.Token()
				if err != nil {
					return n, err
				}
				n.keys = append(n.keys, key.(string))
			}
			value, err := readNode(dec)
			if err != nil {
				return n, err
			}
			n.values = append(n.values, value)
		}
		_, err = dec.Token()
		return n, err
	case string:
		return node{kind: 's', text: v}, nil
	case json.Number:
		return node{kind: 'n', text: v.String()}, nil
	case bool:
		return node{kind: 'b', text: strconv.FormatBool(v)}, nil
	default:
		return node{kind: '0'}, nil
	}
}

var (
	datePattern   = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?(Z|\+00:00)$`)
	tokenPattern  = regexp.MustCompile(`^[\w-]+\.[\w-]+\.[\w-]+$`)
	clockPattern  = regexp.MustCompile(`^\d\d:\d\d$`)
	itemsPattern  = regexp.MustCompile(`^… (\d+) items in all$`)
	fractionFound = regexp.MustCompile(`\.\d`)
)

// matcher compares an answer with a recorded one.
type matcher struct {
	loose []string
	wrong []string
}

func (m *matcher) fail(path, format string, args ...any) {
	m.wrong = append(m.wrong, path+" "+fmt.Sprintf(format, args...))
}

func (m *matcher) match(path string, want, got node) {
	if want.kind != got.kind && !(want.kind == 's' && want.text == "<client ip>") {
		m.fail(path, "is a %c (%s), want a %c (%s)", got.kind, got.text, want.kind, want.text)
		return
	}
	switch want.kind {
	case '{':
		if a, b := strings.Join(want.keys, " "), strings.Join(got.keys, " "); a != b {
			m.fail(path, "has the fields %s, want %s", b, a)
			return
		}
		for i := range want.keys {
			m.match(path+"."+want.keys[i], want.values[i], got.values[i])
		}
	case '[':
		m.matchList(path, want.values, got.values)
	case 's':
		m.matchText(path, want.text, got.text)
	case 'n':
		if want.text != got.text && !fractionFound.MatchString(want.text) && !m.isLoose(path) {
			m.fail(path, "is %s, want %s", got.text, want.text)
		}
	default:
		if want.text != got.text && !m.isLoose(path) {
			m.fail(path, "is %s, want %s", got.text, want.text)
		}
	}
}

// matchList compares as many elements as were recorded; a list that was cut says how many it had.
func (m *matcher) matchList(path string, want, got []node) {
	total := len(want)
	if total > 0 {
		if cut := itemsPattern.FindStringSubmatch(want[total-1].text); cut != nil {
			want = want[:total-1]
			total, _ = strconv.Atoi(cut[1])
		}
	}
	if len(got) != total && !m.isLoose(path) {
		m.fail(path, "has %d elements, want %d", len(got), total)
	}
	for i := range min(len(want), len(got)) {
		m.match(fmt.Sprintf("%s[%d]", path, i), want[i], got[i])
	}
	if len(want) > 0 && len(got) == 0 {
		m.fail(path, "is empty")
	}
}

func (m *matcher) matchText(path, want, got string) {
	switch {
	case datePattern.MatchString(want):
		if !datePattern.MatchString(got) || strings.HasSuffix(want, "Z") != strings.HasSuffix(got, "Z") {
			m.fail(path, "is %q, want a date like %q", got, want)
		}
	case want == "<jwt>":
		if !tokenPattern.MatchString(got) {
			m.fail(path, "is %q, want a token", got)
		}
	case want == "<client ip>":
	case clockPattern.MatchString(want) && clockPattern.MatchString(got):
	case strings.ReplaceAll(want, "<base>", "http://base.test") != got && !m.isLoose(path):
		m.fail(path, "is %q, want %q", got, want)
	}
}

func (m *matcher) isLoose(path string) bool {
	key := path[strings.LastIndexByte(path, '.')+1:]
	for _, one := range m.loose {
		if one == key || one == path {
			return true
		}
	}
	return false
}
