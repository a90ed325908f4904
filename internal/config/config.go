// Package config decides what the settings are: their names, units, defaults and bounds, where each may be
// written, which place wins, and what is refused. It leaves what the settings do to the parts that get them.
//
// There is one struct. Its tags are the table from which the flags, the environment variables, the keys of
// the file, the help and `config show` are made, so they cannot differ. Flags beat the environment, the
// environment beats the file, the file beats the defaults. Nothing reads the environment after Load.
package config

import (
	"net/netip"
	"time"
)

// Config is every setting. A setting with the key offline_after is also the flag --offline-after and the
// variable PRESENCE_OFFLINE_AFTER. Secrets may be read from a file instead: signing_key_file in the file,
// PRESENCE_SIGNING_KEY_FILE, --signing-key-file.
//
// The tags: key, default, min and max of durations, choices of words, as for how the text is read where the
// type alone does not tell, reload for what SIGHUP changes in a running server, help for people.
type Config struct {
	// Listen is where the public server listens. Loopback by default: what is to be reached from elsewhere
	// belongs behind a proxy that speaks TLS, and that is a decision.
	Listen string `key:"listen" default:"127.0.0.1:8000" as:"address" help:"Address of the public server, host:port. Port 0 picks a free one."`

	// OpsListen is where metrics and profiles are served; never on the public address.
	OpsListen string `key:"ops_listen" default:"off" as:"address-or-off" help:"Address of the operators' server with /metrics, /debug/pprof, /healthz and /readyz, host:port, or off."`

	// Data is the directory with the database, the keys and the control socket. The default does not depend
	// on the working directory, so that the command line finds the server's data from anywhere, and so that no
	// database with people's e-mail addresses is left lying in a source tree.
	Data string `key:"data" as:"path" help:"Data directory: database, keys, control socket. Default: $XDG_DATA_HOME/presence, else ~/.local/share/presence."`

	// Database and Engine are what several nodes share. Both are secrets, because they hold passwords.
	Database Secret `key:"database" as:"database" help:"PostgreSQL database that several nodes share, postgres://USER:PASSWORD@HOST:5432/NAME. Default: an embedded database in the data directory."`
	Engine   Secret `key:"engine" as:"engine" help:"Valkey or Redis 7 that several nodes share presence in: redis://HOST:6379, rediss:// with TLS, unix:///SOCKET; Sentinel: redis://HOST:26379?addr=HOST:26379&master_set=NAME; Cluster: redis://HOST:6379?addr=HOST:6379. Needs database. Default: embedded."`

	// Node names this server among several, in changes and metrics.
	Node string `key:"node" as:"name" help:"Name of this server among several, such as a; no two may have the same. Default: the machine's name."`

	// OfflineAfter is how long an online user may be silent before being shown offline. Two minutes is the
	// founding document's value; clients beat every 30 s, so three beats may be lost.
	OfflineAfter time.Duration `key:"offline_after" default:"2m" min:"1s" max:"24h" help:"Silence after which somebody is offline. At least twice heartbeat_interval."`

	// HeartbeatInterval is what clients are told.
	HeartbeatInterval time.Duration `key:"heartbeat_interval" default:"30s" min:"1s" max:"12h" help:"How often clients are told to send a heartbeat."`

	// RefreshInterval is what dashboards that poll are told.
	RefreshInterval time.Duration `key:"refresh_interval" default:"10s" min:"1s" max:"1h" help:"How often dashboards that poll are told to refresh."`

	// SweepInterval is for engines that look for expired leases at intervals. The embedded one looks when a
	// lease is due and does not use it.
	SweepInterval time.Duration `key:"sweep_interval" default:"1s" min:"1s" max:"1m" help:"How often engines that sweep look for silent users; the embedded engine needs no sweep."`

	// LeaveGrace keeps a reload or a change of network from looking like leaving.
	LeaveGrace time.Duration `key:"leave_grace" default:"10s" min:"1s" max:"10m" help:"How long a session whose last connection closed may take to come back."`

	// IdleAfter is what clients are told.
	IdleAfter time.Duration `key:"idle_after" default:"5m" min:"1s" max:"24h" help:"How long without input until clients should report their user as away."`

	// AccessTokenLifetime and RefreshTokenLifetime are the recorded system's.
	AccessTokenLifetime  time.Duration `key:"access_token_lifetime" default:"60m" min:"1s" max:"24h" help:"How long an access token is good."`
	RefreshTokenLifetime time.Duration `key:"refresh_token_lifetime" default:"7d" min:"1s" max:"365d" help:"How long a refresh token is good. At least access_token_lifetime."`

	// SigningKey signs tokens (HS256). Empty: one is generated at the first start and kept in the data
	// directory with mode 0600. RFC 7518 3.2 asks for at least 256 bits.
	SigningKey Secret `key:"signing_key" help:"Key that signs tokens, at least 32 bytes. Default: generated in the data directory. Other users of the machine can read flags: prefer the _file form."`

	// SigningKeysOld still verify, so that a key can be changed without signing anybody out.
	SigningKeysOld []Secret `key:"signing_keys_old" help:"Former signing keys whose tokens stay good until they end, newest first; comma-separated, or one a line in a file."`

	// CORSOrigins are the web sites whose scripts may call the API.
	CORSOrigins []string `key:"cors_origins" reload:"yes" as:"origins" help:"Web origins whose pages may call the API, such as https://app.example.com; comma-separated."`

	// TrustedProxies are the peers whose X-Forwarded-For, -Proto and -Host headers are believed.
	TrustedProxies []netip.Prefix `key:"trusted_proxies" reload:"yes" help:"Networks of the reverse proxies in front, such as 10.0.0.0/8,127.0.0.1; only their X-Forwarded-* headers are believed."`

	// ForwardAuthCookie is the cookie in which an app keeps a JWT of ours or of an issuer.
	ForwardAuthCookie string `key:"forward_auth_cookie" as:"header" help:"Name of the cookie whose JWT /api/v1/forward-auth looks at. Default: no cookie."`

	// ForwardAuthHeader is how a proxy that signs people in itself says who it is. Believed from ForwardAuthTrusted
	// alone; the proxy must take the header away from what clients send.
	ForwardAuthHeader string `key:"forward_auth_header" as:"header" help:"Name of the header by which a proxy tells /api/v1/forward-auth who it is, such as X-Auth-User; believed from forward_auth_trusted alone. Default: none."`

	// ForwardAuthHeaderIs says what stands in the header.
	ForwardAuthHeaderIs string `key:"forward_auth_header_is" default:"username" choices:"username,id,email" help:"What forward_auth_header holds: username, id or email."`

	// ForwardAuthTrusted are the connections from which the header is believed, whatever trusted_proxies says.
	ForwardAuthTrusted []netip.Prefix `key:"forward_auth_trusted" help:"Networks of the proxies whose forward_auth_header is believed; comma-separated. Default: nobody."`

	// ForwardAuthOptional answers requests of nobody with 204, for proxies that only observe.
	ForwardAuthOptional string `key:"forward_auth_optional" default:"no" choices:"no,yes" help:"yes: /api/v1/forward-auth answers 204 instead of 401 to nobody, as with ?optional=1."`

	// HistoryRetention is how long changes of status are kept.
	HistoryRetention time.Duration `key:"history_retention" reload:"yes" default:"90d" min:"1s" max:"3650d" help:"How long the history of who was online when is kept."`

	// TrashRetention is how long deleted accounts can be restored; 0: until somebody erases them.
	TrashRetention time.Duration `key:"trash_retention" reload:"yes" default:"0s" min:"0s" max:"3650d" help:"How long deleted accounts lie in the trash before they are erased for good, with all that is known of them; 0s: until an admin erases them."`

	// Canaries are off by default: they are accounts, and whoever counts people counts them.
	Canaries string `key:"canaries" default:"off" choices:"on,off" help:"Three accounts of the server's own (canary-NODE-...) that come through the front door and measure what people get: presence_canary_* in the metrics."`

	// BackupEvery, BackupKeep and BackupDir are about the backups that the server makes by itself.
	BackupEvery time.Duration `key:"backup_every" default:"24h" min:"0s" max:"365d" help:"How often the server backs its data up; 0s: never."`
	BackupKeep  int           `key:"backup_keep" default:"7" low:"1" high:"1000" help:"How many of its backups stay."`
	BackupDir   string        `key:"backup_dir" as:"path" help:"Directory of the backups. Default: backups in the data directory; another disk is better."`
	// BackupBeforeUpgrade is the way back from an upgrade that disappoints.
	BackupBeforeUpgrade string `key:"backup_before_upgrade" default:"on" choices:"on,off" help:"Make a backup before a new version changes the tables of the embedded database; when that fails, the start does."`

	// WebhookAllowNetworks opens networks to webhooks that are closed to them: a receiver beside us, or in tests.
	WebhookAllowNetworks []netip.Prefix `key:"webhook_allow_networks" help:"Networks that webhooks may lead to although they are not public ones, such as 10.0.0.0/8,127.0.0.1; also without TLS. Whoever may make webhooks can then send requests into them."`

	// WebhookDisableAfter is how long a receiver may be down.
	WebhookDisableAfter time.Duration `key:"webhook_disable_after" default:"5d" min:"1m" max:"365d" help:"How long a webhook may fail without a break before it is taken out of service."`

	// WebhookRetention is how long the delivery log is kept.
	WebhookRetention time.Duration `key:"webhook_retention" default:"7d" min:"1m" max:"365d" help:"How long deliveries to webhooks are kept, with their bodies; the newest 5,000 of each at most."`

	// LogLevel and LogFormat shape the log on standard error. auto is text on a terminal and JSON elsewhere.
	LogLevel  string `key:"log_level" reload:"yes" default:"info" choices:"debug,info,warn,error" help:"The least important log lines to write. debug has a line for every request."`
	LogFormat string `key:"log_format" default:"auto" choices:"auto,text,json" help:"How to write them: text, json, or auto: text on a terminal, json elsewhere."`

	// Issuers are the [[issuers]] tables of the file; see issuers.go.
	Issuers []Issuer

	sources map[string]Source
}

// Secret is a setting that is never shown. Converting it to a string is the only way to its value.
type Secret string

const masked = "********"

// String hides the value, from fmt and slog too.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return masked
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText hides the value from encoding/json.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Level is one of the places a setting may be written.
type Level string

// Levels, the weakest first.
const (
	Default     Level = "default"
	File        Level = "file"
	Environment Level = "environment"
	Flag        Level = "flag"
)

// Source is where a value came from: a level and the name there ("PRESENCE_LISTEN", "--listen",
// "/etc/presence.toml: listen").
type Source struct {
	Level Level  `json:"level"`
	Name  string `json:"name,omitempty"`
}

// String is for people.
func (s Source) String() string {
	if s.Name == "" {
		return string(s.Level)
	}
	return string(s.Level) + " " + s.Name
}

// Setting is one effective setting as `config show` prints it.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"` // secrets masked
	Source
}

// Effective lists every setting in the order of the struct.
func (c *Config) Effective() []Setting {
	list := make([]Setting, 0, len(table))
	for _, s := range table {
		list = append(list, Setting{Key: s.key, Value: s.show(c), Source: c.SourceOf(s.key)})
	}
	for i := range c.Issuers {
		key := "issuers." + c.Issuers[i].Name
		list = append(list, Setting{Key: key, Value: c.Issuers[i].show(), Source: c.SourceOf(key)})
	}
	return list
}

// SourceOf tells where the value of a key came from.
func (c *Config) SourceOf(key string) Source {
	if from, ok := c.sources[key]; ok {
		return from
	}
	return Source{Level: Default}
}
