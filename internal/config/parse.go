package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// ParseDuration reads Go's durations ("90s", "1h30m") and whole days in front of them ("7d", "1d12h").
// A unit is required: "2" could be meant as seconds, minutes or days.
func ParseDuration(text string) (time.Duration, error) {
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		return time.ParseDuration(text)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q: days are a whole number up to 65535", text)
	}
	total := time.Duration(n) * day
	if rest == "" {
		return total, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil || more < 0 {
		return 0, fmt.Errorf("%q is not a duration", text)
	}
	return total + more, nil
}

// FormatDuration writes what ParseDuration reads, without Go's trailing zeros: 2m, not 2m0s; 7d, not 168h0m0s.
func FormatDuration(d time.Duration) string {
	if d >= 2*day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// set reads the words into the field of c, or says what is wrong with them and what would be right.
// Settings that are not lists have exactly one word.
func (s *setting) set(c *Config, words []string) error {
	field := reflect.ValueOf(c).Elem().Field(s.field)
	value, err := s.read(field.Type(), words)
	if err == nil {
		field.Set(reflect.ValueOf(value))
	}
	return err
}

func (s *setting) read(t reflect.Type, words []string) (any, error) {
	if !s.list && len(words) != 1 {
		return nil, errors.New("takes one value, not a list")
	}
	switch t {
	case reflect.TypeFor[time.Duration]():
		return s.readDuration(words[0])
	case reflect.TypeFor[int]():
		return s.readCount(words[0])
	case reflect.TypeFor[Secret]():
		if schemes := sharedSchemes[s.as]; schemes != nil {
			return readShared(words[0], schemes)
		}
		return readSecret(words[0])
	case reflect.TypeFor[[]Secret]():
		return each(words, readSecret)
	case reflect.TypeFor[[]string]():
		return each(words, readOrigin)
	case reflect.TypeFor[[]netip.Prefix]():
		return each(words, readNetwork)
	default:
		return s.readWord(words[0])
	}
}

func (s *setting) readDuration(text string) (time.Duration, error) {
	bounds := fmt.Sprintf("from %s to %s", FormatDuration(s.min), FormatDuration(s.max))
	d, err := ParseDuration(text)
	if _, bare := strconv.ParseFloat(text, 64); bare == nil && text != "0" {
		return 0, fmt.Errorf("%q has no unit; write a duration %s, such as 90s, 5m, 12h or 7d", text, bounds)
	}
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration %s, such as 90s, 5m, 12h or 7d", text, bounds)
	}
	if d < s.min || d > s.max {
		return 0, fmt.Errorf("%q is out of range: %s", text, bounds)
	}
	return d, nil
}

func (s *setting) readCount(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < s.low || n > s.high {
		return 0, fmt.Errorf("%q is not a whole number from %d to %d", text, s.low, s.high)
	}
	return n, nil
}

func (s *setting) readWord(text string) (string, error) {
	switch {
	case s.choices != nil:
		if slices.Contains(s.choices, text) {
			return text, nil
		}
		return "", fmt.Errorf("%q is none of %s; the nearest is %q", text, strings.Join(s.choices, ", "), nearest(text, s.choices))
	case s.as == "address-or-off" && text == "off":
		return text, nil
	case s.as == "header":
		if text == "" || strings.Trim(text, tokenCharacters) != "" || len(text) > 100 {
			return "", fmt.Errorf("%q is not a name of letters, digits, hyphens, underscores and dots", text)
		}
		return text, nil
	case s.as == "path":
		if text == "" || strings.ContainsRune(text, 0) {
			return "", errors.New("is not the path of a directory")
		}
		return text, nil
	case s.as == "name":
		return readName(text)
	default:
		return readAddress(text)
	}
}

// tokenCharacters are those of names of headers and cookies that people use.
const tokenCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."

func readAddress(text string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return "", fmt.Errorf("%q is not host:port, such as 127.0.0.1:8000 or [::1]:8000", text)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q: the port must be a number from 0 to 65535", text)
	} else if strconv.FormatUint(n, 10) != port {
		return "", fmt.Errorf("%q: write the port as %d", text, n)
	}
	if host == "" {
		return "", fmt.Errorf("%q has no host; write 0.0.0.0:%s for every IPv4 interface, or [::]:%s for all", text, port, port)
	}
	if strings.ContainsAny(host, " /@\\?#") {
		return "", fmt.Errorf("%q: %q is not a host", text, host)
	}
	return text, nil
}

// sharedSchemes are the forms of URLs of what nodes share, by the settings that take them.
var sharedSchemes = map[string][]string{
	"database": {"postgres", "postgresql"},
	"engine":   {"redis", "rediss", "valkey", "valkeys", "unix"},
}

// readShared reads a URL. Its errors leave it out: it may hold a password.
func readShared(text string, schemes []string) (Secret, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("is not a URL; write %s://…, with special characters of a password as %%XX", schemes[0])
	case !slices.Contains(schemes, u.Scheme):
		return "", fmt.Errorf("begins with none of %s://", strings.Join(schemes, "://, "))
	case u.Host == "" && u.Path == "":
		return "", errors.New("names no server")
	}
	return Secret(text), nil
}

// readName takes what can stand in logs, metrics and history as it is.
func readName(text string) (string, error) {
	ok := func(r rune) bool {
		return r == '.' || r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	}
	if text == "" || len(text) > 63 || strings.ContainsFunc(text, func(r rune) bool { return !ok(r) }) {
		return "", fmt.Errorf("%q is not a name of letters, digits, dots, hyphens and underscores, 63 at most", text)
	}
	return text, nil
}

// minSecret is RFC 7518 section 3.2: a key as long as the hash, 256 bits for HS256.
const minSecret = 32

func readSecret(text string) (Secret, error) {
	if len(text) < minSecret {
		return "", fmt.Errorf("has %d bytes; at least %d are needed, for example from: openssl rand -base64 48", len(text), minSecret)
	}
	distinct := map[byte]bool{}
	for i := range len(text) {
		distinct[text[i]] = true
	}
	// The digits in a row, and 256 random bits in any spelling, have ten different characters and more.
	if len(distinct) <= 10 {
		return "", errors.New("repeats itself too much to be a secret; make one with: openssl rand -base64 48")
	}
	for _, word := range placeholders {
		if strings.Contains(strings.ToLower(text), word) {
			return "", fmt.Errorf("looks like the placeholder of an example (%q); make one with: openssl rand -base64 48", word)
		}
	}
	return Secret(text), nil
}

// placeholders stand in examples and tutorials where a secret should be. A key that Django's startproject made
// ("django-insecure-...") is random and is not one of them: whoever moves here needs the key they have.
var placeholders = []string{"changeme", "change-me", "change_me", "change-in-production", "your-secret", "your_secret", "secret-key", "secretkey", "placeholder"}

// readOrigin takes an origin exactly as browsers write it in the Origin header, because it is compared as text.
func readOrigin(text string) (string, error) {
	switch {
	case strings.Contains(text, "*"):
		return "", fmt.Errorf("%q: a wildcard would let every web site use the API with its visitors' credentials; list the origins", text)
	case text == "null":
		return "", errors.New(`"null" is the origin of sandboxed pages and local files of anybody; list real origins`)
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%q is not an origin, such as https://app.example.com or http://localhost:5173", text)
	}
	exact := u.Scheme + "://" + strings.ToLower(u.Host)
	if u.Scheme == "http" {
		exact = strings.TrimSuffix(exact, ":80")
	} else {
		exact = strings.TrimSuffix(exact, ":443")
	}
	if exact != text {
		return "", fmt.Errorf("%q is not how browsers write it; did you mean %q?", text, exact)
	}
	if port := u.Port(); port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", fmt.Errorf("%q: the port must be a number up to 65535", text)
		}
	}
	return text, nil
}

func readNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is neither an address nor a network, such as 127.0.0.1 or 10.0.0.0/8", text)
	case p.Bits() == 0:
		return p, fmt.Errorf("%q trusts everybody: anyone could claim any address; list the proxies", text)
	case p != p.Masked():
		return p, fmt.Errorf("%q has bits beyond its length; did you mean %q?", text, p.Masked())
	}
	return p, nil
}

// each reads a list and names every word that is wrong, not only the first.
func each[T any](words []string, read func(string) (T, error)) ([]T, error) {
	out := make([]T, 0, len(words))
	var wrong []error
	for _, word := range words {
		v, err := read(word)
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		out = append(out, v)
	}
	return out, errors.Join(wrong...)
}

// nearest returns the candidate with the fewest edits (insert, delete, replace, swap neighbours) from word. A
// beginning of a candidate counts as one edit more: people forget the second half of a name.
func nearest(word string, candidates []string) string {
	best, fewest := "", int(^uint(0)>>1)
	for _, c := range candidates {
		whole, beginning := distances(word, c)
		if d := min(whole, beginning+1); d < fewest {
			best, fewest = c, d
		}
	}
	return best
}

// distances counts the edits from a to b, and to the beginning of b that is nearest to a.
func distances(a, b string) (whole, beginning int) {
	var last []int
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		next := make([]int, len(b)+1)
		next[0] = i
		for j := 1; j <= len(b); j++ {
			replace := row[j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			next[j] = min(replace, row[j]+1, next[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], last[j-2]+1)
			}
		}
		last, row = row, next
	}
	return row[len(b)], slices.Min(row)
}
