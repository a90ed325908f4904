package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/BurntSushi/toml"
)

// Input is everything Load looks at besides the files it is pointed to.
type Input struct {
	// Flags are the settings given as flags, by key.
	Flags map[string]string
	// Environ is the environment as os.Environ returns it. An empty variable counts as not set.
	Environ []string
	// File is the path of a TOML file; empty: PRESENCE_CONFIG names it, or there is none.
	File string
}

// ConfigVariable names the file when no flag does.
const ConfigVariable = envPrefix + "CONFIG"

// Problem is one thing that is wrong.
type Problem struct {
	Key  string `json:"key"` // empty: the file as a whole
	From Source `json:"source"`
	Text string `json:"text"`
}

func (p Problem) String() string {
	if p.Key == "" {
		return fmt.Sprintf("%s: %s", p.From, p.Text)
	}
	return fmt.Sprintf("%s (%s): %s", p.Key, p.From, p.Text)
}

// Problems is the error of Load: all that is wrong, not only the first of it.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = strings.ReplaceAll(one.String(), "\n", "; ")
	}
	return strings.Join(lines, "\n")
}

// Load puts the settings together. The error, if any, is a Problems. A value that is wrong is refused even
// where a stronger place overrides it: it would be found on the worst day, the one when the override goes.
func Load(in Input) (*Config, error) {
	l := &loader{
		config: Config{sources: map[string]Source{}},
		env:    environment(in.Environ),
		seen:   map[string]string{},
		wrong:  map[string]bool{},
	}
	l.defaults()
	l.file(in.File)
	l.environment()
	l.flags(in.Flags)
	l.together()
	if len(l.problems) > 0 {
		return nil, l.problems
	}
	return &l.config, nil
}

type loader struct {
	config   Config
	env      map[string]string
	problems Problems
	seen     map[string]string // level and key -> the name it was written under
	wrong    map[string]bool   // keys with a problem
}

func (l *loader) refuse(key string, from Source, format string, args ...any) {
	l.wrong[key] = true
	l.problems = append(l.problems, Problem{key, from, fmt.Sprintf(format, args...)})
}

func (l *loader) defaults() {
	for i := range table {
		s := &table[i]
		switch {
		case s.key == "data":
			l.config.Data = l.dataHome()
		case s.def != "":
			if err := s.set(&l.config, []string{s.def}); err != nil {
				panic("config: default of " + s.key + ": " + err.Error())
			}
		}
	}
}

// dataHome follows the XDG base directory specification, which ignores paths that are not absolute. An
// account without a home keeps its data in the working directory.
func (l *loader) dataHome() string {
	if dir := l.env["XDG_DATA_HOME"]; filepath.IsAbs(dir) {
		return filepath.Join(dir, "presence")
	}
	if home := l.env["HOME"]; filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "share", "presence")
	}
	return "presence-data"
}

func (l *loader) file(path string) {
	if path == "" {
		path = l.env[ConfigVariable]
	}
	if path == "" {
		return
	}
	whole := Source{File, path}
	text, err := os.ReadFile(path)
	if err != nil {
		l.refuse("", whole, "cannot be read: %s", reason(err))
		return
	}
	var tree map[string]any
	if _, err := toml.Decode(string(text), &tree); err != nil {
		l.refuse("", whole, "%s", tomlError(err))
		return
	}
	keys := make([]string, 0, len(tree))
	for key := range tree {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		from := Source{File, path + ": " + key}
		if key == "issuers" {
			l.issuers(path, tree[key])
			continue
		}
		if _, _, ok := find(key); !ok {
			l.refuse(key, from, "there is no such setting; the nearest is %s", nearest(key, append(names(), "issuers")))
			continue
		}
		words, isList, err := fileWords(tree[key])
		if err != nil {
			l.refuse(key, from, "%v", err)
			continue
		}
		l.take(key, from, words, isList)
	}
}

func (l *loader) environment() {
	variables := make([]string, 0, len(l.env))
	for name := range l.env {
		variables = append(variables, name)
	}
	sort.Strings(variables)
	for _, name := range variables {
		value := l.env[name]
		if !strings.HasPrefix(name, envPrefix) || name == ConfigVariable || value == "" || serviceLink(name, value) ||
			slices.Contains(ofClients, name) {
			continue
		}
		key := strings.ToLower(strings.TrimPrefix(name, envPrefix))
		from := Source{Environment, name}
		if _, _, ok := find(key); !ok || name != strings.ToUpper(name) {
			l.refuse(name, from, "there is no such setting; the nearest is %s",
				envPrefix+strings.ToUpper(nearest(key, names())))
			continue
		}
		l.take(key, from, []string{value}, false)
	}
}

func (l *loader) flags(given map[string]string) {
	for _, key := range names() {
		if value, ok := given[key]; ok {
			l.take(key, Source{Flag, "--" + strings.ReplaceAll(key, "_", "-")}, []string{value}, false)
		}
	}
}

// take puts one written value into place. Words that are not a list yet are split, where a list is wanted.
func (l *loader) take(key string, from Source, words []string, isList bool) {
	s, fromFile, _ := find(key)
	place := string(from.Level) + " " + s.key
	if other, twice := l.seen[place]; twice {
		l.refuse(s.key, from, "is given twice, also as %s", other)
		return
	}
	l.seen[place] = from.Name
	if fromFile && isList {
		l.refuse(s.key, from, "takes the path of one file, not a list")
		return
	}
	if fromFile {
		text, err := readSecretFile(words[0])
		if err != nil {
			l.refuse(s.key, from, "%v", err)
			return
		}
		words = []string{text}
	}
	if s.list && !isList {
		words = splitList(words[0], fromFile)
	}
	if err := s.set(&l.config, words); err != nil {
		l.refuse(s.key, from, "%v", err)
		return
	}
	l.config.sources[s.key] = from
}

// together checks what one setting alone cannot know.
func (l *loader) together() {
	c := &l.config
	fine := func(keys ...string) bool {
		for _, key := range keys {
			if l.wrong[key] {
				return false
			}
		}
		return true
	}
	if fine("offline_after", "heartbeat_interval") && c.OfflineAfter < 2*c.HeartbeatInterval {
		l.refuse("offline_after", c.SourceOf("offline_after"),
			"%s is less than twice heartbeat_interval (%s, %s): one lost heartbeat would show people offline who are there; use at least %s",
			FormatDuration(c.OfflineAfter), FormatDuration(c.HeartbeatInterval), c.SourceOf("heartbeat_interval"),
			FormatDuration(2*c.HeartbeatInterval))
	}
	if fine("access_token_lifetime", "refresh_token_lifetime") && c.RefreshTokenLifetime < c.AccessTokenLifetime {
		l.refuse("refresh_token_lifetime", c.SourceOf("refresh_token_lifetime"),
			"%s is less than access_token_lifetime (%s): nobody could use it", FormatDuration(c.RefreshTokenLifetime),
			FormatDuration(c.AccessTokenLifetime))
	}
	if fine("engine", "database") && c.Engine != "" && c.Database == "" {
		l.refuse("engine", c.SourceOf("engine"),
			"needs database: nodes that share presence must share accounts and sessions too; give the URL of a PostgreSQL database")
	}
	if fine("forward_auth_header", "forward_auth_trusted") && c.ForwardAuthHeader != "" && len(c.ForwardAuthTrusted) == 0 {
		l.refuse("forward_auth_header", c.SourceOf("forward_auth_header"),
			"is believed from nobody: name the proxies in forward_auth_trusted, such as 127.0.0.1")
	}
	if fine("listen", "ops_listen") && c.OpsListen == c.Listen && !strings.HasSuffix(c.Listen, ":0") {
		l.refuse("ops_listen", c.SourceOf("ops_listen"),
			"is the public address %s: metrics and profiles must not be public", c.Listen)
	}
}

func environment(list []string) map[string]string {
	out := make(map[string]string, len(list))
	for _, pair := range list {
		name, value, _ := strings.Cut(pair, "=")
		out[name] = value
	}
	return out
}

// fileWords turns a TOML value into words. A number is given on as it is written, for the setting to refuse
// with its own reason.
func fileWords(value any) (words []string, isList bool, err error) {
	switch v := value.(type) {
	case []any:
		words = make([]string, 0, len(v))
		for _, one := range v {
			word, ok := one.(string)
			if !ok {
				return nil, true, fmt.Errorf("%v in the list is not a string", one)
			}
			words = append(words, word)
		}
		return words, true, nil
	case map[string]any, []map[string]any:
		return nil, false, errors.New("is a table; settings stand at the top of the file")
	default:
		return []string{fmt.Sprint(v)}, false, nil
	}
}

const maxSecretFile = 64 << 10

func readSecretFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxSecretFile {
		return "", fmt.Errorf("%s is too large to be a secret", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %s", path, reason(err))
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}

// splitList splits at commas and line ends, or only at line ends where the text came from a secret's file.
func splitList(text string, linesOnly bool) []string {
	words := strings.FieldsFunc(text, func(r rune) bool {
		return r == '\n' || r == '\r' || r == ',' && !linesOnly
	})
	out := words[:0]
	for _, word := range words {
		if word = strings.TrimSpace(word); word != "" {
			out = append(out, word)
		}
	}
	return out
}

// ofClients are variables that our examples and recipes give to backends. Whoever develops one calls the command line
// from the same shell.
var ofClients = []string{envPrefix + "URL", envPrefix + "TOKEN", envPrefix + "API_KEY"}

var (
	serviceLinkName = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?)$`)
	serviceLinkPort = regexp.MustCompile(`_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)
)

// serviceLink reports whether a variable is one of those that Kubernetes puts into every container of a
// namespace with a service named presence. They are nobody's typing mistake.
func serviceLink(name, value string) bool {
	if serviceLinkName.MatchString(name) {
		return true
	}
	return serviceLinkPort.MatchString(name) && (strings.Contains(value, "://") || strings.Contains(name, "_PORT_"))
}

// reason leaves the path out of an error about a file: it has been named.
func reason(err error) string {
	if known := (*fs.PathError)(nil); errors.As(err, &known) {
		return known.Err.Error()
	}
	return err.Error()
}

// tomlError is the message with its place, on one line, and without the line itself: it may hold a secret.
func tomlError(err error) string {
	if known := (toml.ParseError{}); errors.As(err, &known) {
		return fmt.Sprintf("line %d: %s", known.Position.Line, known.Message)
	}
	return strings.TrimPrefix(err.Error(), "toml: ")
}
