package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"
)

// Issuer is somebody else whose tokens are good here: an [[issuers]] table of the file, and nowhere else.
type Issuer struct {
	Name       string
	Issuer     string   // what iss must be
	Audience   []string // of which aud must have one
	Algorithms []string
	Secret     Secret
	JWKS       string
	User       string // path of the claim
	UserIs     string // id, username, email
	Roles      string // path of the claim
	AdminRoles []string
	Provision  bool
	// UsernameClaim and EmailClaim name a provisioned account.
	UsernameClaim, EmailClaim string
	Skew                      time.Duration
}

// issuerKeys are the keys of an [[issuers]] table.
var issuerKeys = []string{
	"name", "issuer", "audience", "algorithms", "secret", "secret_file", "jwks_url", "user_claim", "user_is", "roles_claim", "admin_roles",
	"provision", "username_claim", "email_claim", "skew",
}

// asymmetric are the algorithms that go with a key set.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA"}

// issuers reads the [[issuers]] tables.
func (l *loader) issuers(path string, value any) {
	tables, ok := value.([]map[string]any)
	if !ok {
		l.refuse("issuers", Source{File, path + ": issuers"}, "is written as tables: [[issuers]], then name = \"...\" and so on")
		return
	}
	for n, table := range tables {
		key := fmt.Sprintf("issuers[%d]", n+1)
		if name, ok := table["name"].(string); ok && name != "" {
			key = "issuers." + name
		}
		from := Source{File, path + ": " + key}
		r := &issuerReader{table: table, refuse: func(field, format string, args ...any) { l.refuse(key+"."+field, from, format, args...) }}
		one := r.read()
		if slices.ContainsFunc(l.config.Issuers, func(other Issuer) bool { return other.Name == one.Name }) {
			r.refuse("name", "%q is the name of two issuers", one.Name)
		}
		l.config.Issuers = append(l.config.Issuers, one)
		l.config.sources[key] = from
	}
}

// issuerReader reads one table.
type issuerReader struct {
	table  map[string]any
	refuse func(field, format string, args ...any)
}

func (r *issuerReader) read() Issuer {
	names := make([]string, 0, len(r.table))
	for name := range r.table {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if !slices.Contains(issuerKeys, name) {
			r.refuse(name, "there is no such setting of an issuer; the nearest is %s", nearest(name, issuerKeys))
		}
	}
	one := Issuer{
		Name: r.text("name", ""), Issuer: r.text("issuer", ""), Audience: r.list("audience"), Algorithms: r.list("algorithms"),
		JWKS: r.text("jwks_url", ""), User: r.text("user_claim", "sub"), UserIs: r.text("user_is", "username"), Roles: r.text("roles_claim", ""),
		AdminRoles: r.list("admin_roles"), UsernameClaim: r.text("username_claim", "preferred_username"), EmailClaim: r.text("email_claim", "email"),
		Secret: r.secret(), Skew: r.skew(),
	}
	if v, ok := r.table["provision"]; ok {
		if one.Provision, ok = v.(bool); !ok {
			r.refuse("provision", "is true or false, without quotes")
		}
	}
	r.check(&one)
	return one
}

func (r *issuerReader) check(one *Issuer) {
	if one.Name == "" || strings.Trim(one.Name, tokenCharacters) != "" || len(one.Name) > 50 {
		r.refuse("name", "is needed: letters, digits and -_., at most 50")
	}
	switch {
	case one.Secret == "" && one.JWKS == "":
		r.refuse("secret", "or jwks_url is needed: without a key nothing can be checked")
	case one.Secret != "" && one.JWKS != "":
		r.refuse("secret", "and jwks_url exclude each other: write two issuers")
	}
	if len(one.Algorithms) == 0 {
		if one.Secret == "" {
			r.refuse("algorithms", "is needed with jwks_url: the algorithm is never taken from the token; some of %s", strings.Join(asymmetric, ", "))
		} else {
			one.Algorithms = []string{"HS256"}
		}
	}
	fit := asymmetric
	if one.Secret != "" {
		fit = []string{"HS256"}
	}
	for _, alg := range one.Algorithms {
		if !slices.Contains(fit, alg) {
			r.refuse("algorithms", "%q does not go with this kind of key; there are %s", alg, strings.Join(fit, ", "))
		}
	}
	if one.JWKS != "" {
		if err := safeURL(one.JWKS); err != nil {
			r.refuse("jwks_url", "%v", err)
		}
	}
	if !slices.Contains([]string{"id", "username", "email"}, one.UserIs) {
		r.refuse("user_is", "%q is none of id, username, email", one.UserIs)
	}
	if one.Provision && one.UserIs == "id" {
		r.refuse("provision", "needs user_is username or email: our ids are not theirs")
	}
	if (one.Roles == "") != (len(one.AdminRoles) == 0) {
		r.refuse("roles_claim", "and admin_roles go together")
	}
	if one.Issuer == "" && len(one.Audience) == 0 && one.JWKS != "" {
		r.refuse("issuer", "or audience is needed with jwks_url: the same keys may sign tokens for others")
	}
}

// safeURL lets https through, and http from this machine alone.
func safeURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil {
		return fmt.Errorf("is no address such as https://login.example.com/.well-known/jwks.json")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	if u.Scheme == "https" || u.Scheme == "http" && local {
		return nil
	}
	return fmt.Errorf("must be https (http only on this machine): who changes the keys on the way is everybody")
}

func (r *issuerReader) text(key, otherwise string) string {
	v, there := r.table[key]
	if !there {
		return otherwise
	}
	text, ok := v.(string)
	if !ok || text == "" || len(text) > 1000 {
		r.refuse(key, "is a text of 1 to 1000 bytes")
	}
	return text
}

func (r *issuerReader) list(key string) []string {
	v, there := r.table[key]
	if !there {
		return nil
	}
	if one, ok := v.(string); ok {
		v = []any{one}
	}
	words, isList, err := fileWords(v)
	if err != nil || !isList || len(words) == 0 {
		r.refuse(key, "is a text, or a list of texts")
	}
	return words
}

func (r *issuerReader) secret() Secret {
	text := r.text("secret", "")
	if path := r.text("secret_file", ""); path != "" {
		if text != "" {
			r.refuse("secret", "is given twice, also as secret_file")
		}
		var err error
		if text, err = readSecretFile(path); err != nil {
			r.refuse("secret_file", "%v", err)
			return ""
		}
	}
	if text == "" {
		return ""
	}
	secret, err := readSecret(text)
	if err != nil {
		r.refuse("secret", "%v", err)
		return "-" // one is there, if not a good one
	}
	return secret
}

func (r *issuerReader) skew() time.Duration {
	text := r.text("skew", "60s")
	d, err := ParseDuration(text)
	if err != nil || d < 0 || d > 10*time.Minute {
		r.refuse("skew", "%q is not a duration up to 10m, such as 60s", text)
	}
	return d
}

// show is an issuer on one line, the secret masked.
func (i *Issuer) show() string {
	words := []string{"algorithms=" + strings.Join(i.Algorithms, ",")}
	add := func(key, value string) {
		if value != "" {
			words = append(words, key+"="+value)
		}
	}
	add("issuer", i.Issuer)
	add("audience", strings.Join(i.Audience, ","))
	add("secret", i.Secret.String())
	add("jwks_url", i.JWKS)
	add("user_claim", i.User)
	add("user_is", i.UserIs)
	add("roles_claim", i.Roles)
	add("admin_roles", strings.Join(i.AdminRoles, ","))
	if i.Provision {
		add("provision", "true")
	}
	add("skew", FormatDuration(i.Skew))
	return strings.Join(words, " ")
}
