package compat

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/offchat/presence"
)

const (
	// maxBody is how many bytes of a body are read.
	maxBody = 64 << 10
	// maxDepth is how deep a body may be nested; the contract needs one level.
	maxDepth = 32
)

// body is what a request carries: an object, or a form. Keys that nobody asks for are ignored, so nothing can
// be changed that an endpoint does not name.
type body map[string]value

// value is one field as it came.
type value struct {
	raw  json.RawMessage
	text string // of a form
	form bool
}

// readBody reads an object or a form; an empty body is an empty object. Its errors are Invalid with a
// sentence.
func (c *call) readBody() (body, error) {
	if c.r.ContentLength > maxBody {
		return nil, errTooLarge
	}
	data, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxBody))
	if err != nil {
		return nil, bodyError(err)
	}
	kind, params, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")) // checked at the door
	if kind == "multipart/form-data" {
		return parseForm(data, params["boundary"])
	}
	return parseObject(data)
}

func bodyError(err error) error {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errTooLarge
	}
	return invalid("Request body could not be read.")
}

func invalid(tell string) error {
	return &presence.Error{Kind: presence.Invalid, Op: "read body", Tell: tell}
}

// parseObject reads one JSON object strictly: one value, UTF-8, no key twice, no deep nesting.
func parseObject(data []byte) (body, error) {
	switch data = bytes.TrimSpace(data); {
	case len(data) == 0:
		return body{}, nil
	case !utf8.Valid(data):
		return nil, invalid("Request body is not valid UTF-8.")
	case tooDeep(data):
		return nil, invalid("Request body is nested too deeply.")
	case !json.Valid(data):
		return nil, invalid("Request body is not valid JSON.")
	case data[0] != '{':
		return nil, invalid("Request body must be a JSON object.")
	}
	b := body{}
	dec := json.NewDecoder(bytes.NewReader(data))
	_, _ = dec.Token() // the brace
	for dec.More() {
		token, err := dec.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, invalid("Request body is not valid JSON.")
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, invalid("Request body is not valid JSON.")
		}
		if _, twice := b[key]; twice {
			return nil, invalid("Request body has the same key twice.")
		}
		b[key] = value{raw: raw}
	}
	return b, nil
}

// tooDeep counts brackets outside strings.
func tooDeep(data []byte) bool {
	depth, inString := 0, false
	for i := 0; i < len(data); i++ {
		switch ch := data[i]; {
		case inString && ch == '\\':
			i++
		case ch == '"':
			inString = !inString
		case inString:
		case ch == '{' || ch == '[':
			if depth++; depth > maxDepth {
				return true
			}
		case ch == '}' || ch == ']':
			depth--
		}
	}
	return false
}

// parseForm reads a multipart form. Files in it are passed over.
func parseForm(data []byte, boundary string) (body, error) {
	b := body{}
	if len(bytes.TrimSpace(data)) == 0 {
		return b, nil
	}
	if boundary == "" {
		return nil, invalid("Request body is not a valid form.")
	}
	for parts := multipart.NewReader(bytes.NewReader(data), boundary); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return b, nil
		}
		if err != nil {
			return nil, invalid("Request body is not a valid form.")
		}
		text, err := io.ReadAll(part)
		switch {
		case err != nil:
			return nil, invalid("Request body is not a valid form.")
		case part.FormName() == "" || part.FileName() != "":
			continue
		case !utf8.Valid(text):
			return nil, invalid("Request body is not valid UTF-8.")
		}
		if _, twice := b[part.FormName()]; twice {
			return nil, invalid("Request body has the same key twice.")
		}
		b[part.FormName()] = value{text: string(text), form: true}
	}
}

func (v value) null() bool { return !v.form && string(v.raw) == "null" }

// string returns the text of a string. It reports false for every other type, and for text that no store could
// keep: half a surrogate pair decodes to the replacement character.
func (v value) string() (string, bool) {
	s := v.text
	if !v.form {
		if len(v.raw) == 0 || v.raw[0] != '"' || json.Unmarshal(v.raw, &s) != nil {
			return "", false
		}
	}
	return s, !strings.ContainsRune(s, utf8.RuneError)
}

// bool reads what the framework takes for a boolean.
func (v value) bool() (is, ok bool) {
	word := string(v.raw)
	if s, isText := v.string(); isText {
		word = strings.ToLower(s)
	}
	switch word {
	case "true", "1", "yes", "on", "t", "y":
		return true, true
	case "false", "0", "no", "off", "f", "n":
		return false, true
	}
	return false, false
}

// shown is the value as an error sentence may repeat it, short.
func (v value) shown() string {
	s, ok := v.string()
	if !ok {
		s = string(v.raw)
	}
	if runes := []rune(s); len(runes) > 64 {
		s = string(runes[:64]) + "…"
	}
	return s
}

// text reads a field of a hand-made view: trimmed, "" when it is missing or null. It reports false when it is
// anything but text.
func (b body) text(name string) (string, bool) {
	v, given := b[name]
	if !given || v.null() {
		return "", true
	}
	s, ok := v.string()
	return strings.TrimSpace(s), ok && !strings.ContainsRune(s, 0)
}

// form reads fields the way the framework's serializers do and collects what is wrong with them.
type form struct {
	body
	bad problems
}

func (f *form) wrong(name, text string) { f.bad = append(f.bad, problem{name, text}) }

// err is nil when nothing was wrong.
func (f *form) err() error {
	if len(f.bad) == 0 {
		return nil
	}
	return f.bad
}

// rule is what a text field must be. Min and max are in characters; 0: no bound.
type rule struct {
	required, mayBeBlank, nullIsBlank bool
	min, max                          int
	check                             func(string) string // returns what is wrong, or ""
}

// text reads a field, trimmed. It returns nil when it was not given or is wrong.
func (f *form) text(name string, want rule) *string {
	v, given := f.body[name]
	if !given {
		if want.required {
			f.wrong(name, "This field is required.")
		}
		return nil
	}
	if v.null() {
		if want.nullIsBlank {
			return new(string)
		}
		f.wrong(name, "This field may not be null.")
		return nil
	}
	s, ok := v.string()
	if !ok {
		f.wrong(name, "Not a valid string.")
		return nil
	}
	s = strings.TrimSpace(s)
	if what := want.wrong(s); what != "" {
		f.wrong(name, what)
		return nil
	}
	return &s
}

func (want rule) wrong(s string) string {
	size := utf8.RuneCountInString(s)
	switch {
	case strings.ContainsRune(s, 0):
		return "Null characters are not allowed."
	case size == 0 && want.mayBeBlank:
		return ""
	case size == 0:
		return "This field may not be blank."
	case want.max > 0 && size > want.max:
		return "Ensure this field has no more than " + strconv.Itoa(want.max) + " characters."
	case size < want.min:
		return "Ensure this field has at least " + strconv.Itoa(want.min) + " characters."
	case want.check != nil:
		return want.check(s)
	}
	return ""
}

// choice reads a field that must be one of some words. It returns nil when it was not given or is wrong.
func choice[T any](f *form, name string, parse func(string) (T, bool)) *T {
	v, given := f.body[name]
	if !given {
		return nil
	}
	if v.null() {
		f.wrong(name, "This field may not be null.")
		return nil
	}
	if word, ok := v.string(); ok {
		if one, ok := parse(word); ok {
			return &one
		}
	}
	f.wrong(name, `"`+v.shown()+`" is not a valid choice.`)
	return nil
}

// bool reads a yes or no. It returns nil when it was not given or is wrong.
func (f *form) bool(name string) *bool {
	v, given := f.body[name]
	if !given {
		return nil
	}
	if v.null() {
		f.wrong(name, "This field may not be null.")
		return nil
	}
	is, ok := v.bool()
	if !ok {
		f.wrong(name, "Must be a valid boolean.")
		return nil
	}
	return &is
}
