package django

import (
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// readText makes text out of what stands in a field: UTF-8 as it is, else every byte as the character that
// Latin-1 gives it, without NUL characters. It reports whether anything had to change.
func readText(raw string) (text string, changed bool) {
	text = raw
	if !utf8.ValidString(text) {
		runes := make([]rune, len(raw))
		for i := range len(raw) {
			runes[i] = rune(raw[i])
		}
		text = string(runes)
	}
	text = strings.ReplaceAll(text, "\x00", "")
	return text, text != raw
}

// readTrue reads a Boolean of either database.
func readTrue(raw string) bool {
	switch strings.ToLower(strings.TrimSpace(raw)) {
	case "1", "t", "true", "y", "yes", "on":
		return true
	}
	return false
}

// timeForms are how Django and PostgreSQL write moments. A fraction is read wherever there may be one.
var (
	awareForms = []string{
		"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05Z07", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700",
		"2006-01-02 15:04:05 Z07:00", "2006-01-02 15:04:05 -0700 MST",
	}
	naiveForms = []string{"2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02"}
)

// readTime reads a moment. One that names no offset is at place: Django with USE_TZ keeps UTC, without it the
// site's own time. Moments are kept to the microsecond.
func readTime(raw string, place *time.Location) (time.Time, bool) {
	raw = strings.TrimSpace(raw)
	for _, form := range awareForms {
		if t, err := time.Parse(form, raw); err == nil {
			return fit(t)
		}
	}
	for _, form := range naiveForms {
		if t, err := time.ParseInLocation(form, raw, place); err == nil {
			return fit(t)
		}
	}
	return time.Time{}, false
}

// fit refuses years that no account has.
func fit(t time.Time) (time.Time, bool) {
	t = t.UTC().Truncate(time.Microsecond)
	if t.Year() < 1971 || t.Year() > 9999 {
		return time.Time{}, false
	}
	return t, true
}

// jwt is what the middle of a token says. Nothing is verified: it is about a token that is to be refused.
type jwt struct {
	ID     string
	User   int64
	Expiry time.Time
}

func readJWT(token string) (jwt, bool) {
	parts := strings.Split(strings.TrimSpace(token), ".")
	if len(parts) != 3 || len(token) > 16<<10 {
		return jwt{}, false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return jwt{}, false
	}
	var said struct {
		JTI  string          `json:"jti"`
		Exp  json.Number     `json:"exp"`
		User json.RawMessage `json:"user_id"`
	}
	if err := json.Unmarshal(payload, &said); err != nil || said.JTI == "" || len(said.JTI) > maxJTI {
		return jwt{}, false
	}
	one := jwt{ID: said.JTI}
	one.User, _ = strconv.ParseInt(strings.Trim(string(said.User), `"`), 10, 64)
	if seconds, err := said.Exp.Int64(); err == nil && seconds > 0 && seconds < 1<<40 {
		one.Expiry = time.Unix(seconds, 0).UTC()
	}
	return one, true
}

// maxJTI is how long a token's name may be, in bytes. SimpleJWT's are 32.
const maxJTI = 255

// firstRunes cuts a text to so many characters.
func firstRunes(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n])
}
