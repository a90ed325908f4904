package config

import (
	"errors"
	"strings"
	"testing"
)

// TestBadConfigurationsAreNamed: none of these starts, and each is told by its name and with what would be right.
func TestBadConfigurationsAreNamed(t *testing.T) {
	env := func(pairs ...string) Input { return Input{Environ: pairs} }
	flag := func(key, value string) Input { return Input{Flags: map[string]string{key: value}} }
	file := func(text string) Input { return Input{File: write(t, "bad.toml", text)} }

	tests := []struct {
		name string
		in   Input
		want []string // all of them in the message
	}{
		{"an unknown key in the file", file(`offlineafter = "2m"`), []string{"offlineafter", "bad.toml", "nearest is offline_after"}},
		{"a misspelt key in the file", file(`hearbeat_interval = "2m"`), []string{"nearest is heartbeat_interval"}},
		{"a flag's spelling in the file", file(`"offline-after" = "2m"`), []string{"nearest is offline_after"}},
		{"a table in the file", file("[server]\nlisten = \"127.0.0.1:1\""), []string{"server", "no such setting"}},
		{"a setting as a table", file("[listen]\nport = 1"), []string{"listen", "is a table"}},
		{"a file that is not TOML", file("listen: 127.0.0.1:8000"), []string{"bad.toml", "line 1"}},
		{"a key twice in the file", file("listen = \"a:1\"\nlisten = \"b:1\""), []string{"bad.toml", "line 2"}},
		{"a file that is not there", Input{File: "/nowhere/presence.toml"}, []string{"/nowhere/presence.toml", "no such file"}},
		{"a directory as the file", Input{File: t.TempDir()}, []string{"cannot be read"}},
		{"the variable's file is not there", env("PRESENCE_CONFIG=/nowhere.toml"), []string{"/nowhere.toml"}},
		{"an unknown variable", env("PRESENCE_OFFLINE_AFTR=2m"), []string{"PRESENCE_OFFLINE_AFTR", "nearest is PRESENCE_OFFLINE_AFTER"}},
		{"a variable in lower case", env("PRESENCE_offline_after=2m"), []string{"nearest is PRESENCE_OFFLINE_AFTER"}},
		{"a file variable of what is no secret", env("PRESENCE_LISTEN_FILE=/x"), []string{"PRESENCE_LISTEN_FILE", "no such setting"}},
		{"a number without unit", env("PRESENCE_OFFLINE_AFTER=2"), []string{"offline_after", `"2" has no unit`, "from 1s to 24h"}},
		{"zero", env("PRESENCE_OFFLINE_AFTER=0"), []string{"offline_after", "from 1s to 24h"}},
		{"zero seconds", flag("sweep_interval", "0s"), []string{"sweep_interval", "from 1s to 1m"}},
		{"less than nothing", env("PRESENCE_OFFLINE_AFTER=-1"), []string{"offline_after", "from 1s to 24h"}},
		{"negative seconds", flag("leave_grace", "-5s"), []string{"leave_grace", "from 1s to 10m"}},
		{"not a number", env("PRESENCE_OFFLINE_AFTER=NaN"), []string{"offline_after", "from 1s to 24h"}},
		{"an absurd number", env("PRESENCE_OFFLINE_AFTER=1e300"), []string{"offline_after", "from 1s to 24h"}},
		{"an absurd duration", env("PRESENCE_OFFLINE_AFTER=9999999h"), []string{"offline_after", "from 1s to 24h"}},
		{"absurd days", flag("history_retention", "99999999d"), []string{"history_retention", "from 1s to 3650d"}},
		{"half a backup", flag("backup_keep", "0.5"), []string{"backup_keep", "whole number from 1 to 1000"}},
		{"no backup to keep", file("backup_keep = 0"), []string{"backup_keep", "whole number from 1 to 1000"}},
		{"words", flag("idle_after", "five minutes"), []string{"idle_after", "from 1s to 24h"}},
		{"a number in the file", file(`offline_after = 120`), []string{"offline_after", `"120" has no unit`}},
		{"nan in the file", file(`offline_after = nan`), []string{"offline_after", "from 1s to 24h"}},
		{"a truth in the file", file(`offline_after = true`), []string{"offline_after", "from 1s to 24h"}},
		{"a list in the file", file(`offline_after = ["2m", "3m"]`), []string{"offline_after", "one value"}},
		{"just too long", flag("offline_after", "24h1s"), []string{"offline_after", "out of range: from 1s to 24h"}},
		{"just too short", flag("refresh_interval", "999ms"), []string{"refresh_interval", "out of range: from 1s to 1h"}},
		{"less than two beats", env("PRESENCE_OFFLINE_AFTER=59s"), []string{"offline_after", "twice heartbeat_interval", "at least 1m"}},
		{"beats too rare", flag("heartbeat_interval", "61s"), []string{"heartbeat_interval", "flag --heartbeat-interval"}},
		{"refresh tokens shorter than access tokens", flag("refresh_token_lifetime", "30m"), []string{"refresh_token_lifetime", "access_token_lifetime"}},
		{"a database of another kind", env("PRESENCE_DATABASE=mysql://root:hunter2@db/x"), []string{"database", "postgres://"}},
		{"a database without a server", env("PRESENCE_DATABASE=postgres://"), []string{"database", "names no server"}},
		{"an engine of another kind", env("PRESENCE_ENGINE=http://cache:6379"), []string{"engine", "redis://"}},
		{"an engine without a database", env("PRESENCE_ENGINE=redis://cache:6379"), []string{"engine", "needs database"}},
		{"a node's name with a space", env("PRESENCE_NODE=node one"), []string{"node", "letters"}},
		{"a short signing key", env("PRESENCE_SIGNING_KEY=secret"), []string{"signing_key", "6 bytes", "at least 32"}},
		{"a silly signing key", env("PRESENCE_SIGNING_KEY=" + strings.Repeat("ab", 20)), []string{"signing_key", "repeats itself"}},
		{"the digits in a row", env("PRESENCE_SIGNING_KEY=12345678901234567890123456789012"), []string{"signing_key", "repeats itself"}},
		{"a placeholder", env("PRESENCE_SIGNING_KEY=ChangeMe-0123456789-ChangeMe-0123456"), []string{"signing_key", "placeholder", "changeme"}},
		{"a tutorial's key", env("PRESENCE_SIGNING_KEY=your-secret-key-here-change-in-production-please"), []string{"signing_key", "placeholder"}},
		{"a short old key among good ones", file(`signing_keys_old = ["` + goodKey + `", "short"]`), []string{"signing_keys_old", "5 bytes"}},
		{"a secret twice", env("PRESENCE_SIGNING_KEY="+goodKey, "PRESENCE_SIGNING_KEY_FILE=/x"), []string{"signing_key", "given twice"}},
		{"a secret's file that is not there", env("PRESENCE_SIGNING_KEY_FILE=/nowhere"), []string{"signing_key", "/nowhere cannot be read"}},
		{"an empty secret's file", env("PRESENCE_SIGNING_KEY_FILE=" + write(t, "empty", "\n")), []string{"signing_key", "0 bytes"}},
		{"any origin", flag("cors_origins", "*"), []string{"cors_origins", "wildcard"}},
		{"any sub-domain", flag("cors_origins", "https://*.example.com"), []string{"cors_origins", "wildcard"}},
		{"the null origin", flag("cors_origins", "null"), []string{"cors_origins", "sandboxed"}},
		{"an origin with a path", flag("cors_origins", "https://a.example/"), []string{"cors_origins", `did you mean "https://a.example"`}},
		{"an origin with the usual port", flag("cors_origins", "https://a.example:443"), []string{`did you mean "https://a.example"`}},
		{"an origin without scheme", flag("cors_origins", "a.example"), []string{"cors_origins", "is not an origin"}},
		{"an origin of another kind", flag("cors_origins", "ftp://a.example"), []string{"cors_origins", "is not an origin"}},
		{"one bad origin of two", env("PRESENCE_CORS_ORIGINS=https://a.example,b"), []string{`"b" is not an origin`}},
		{"proxies everywhere", flag("trusted_proxies", "0.0.0.0/0"), []string{"trusted_proxies", "trusts everybody"}},
		{"proxies everywhere, IPv6", flag("trusted_proxies", "::/0"), []string{"trusted_proxies", "trusts everybody"}},
		{"a proxy by name", flag("trusted_proxies", "proxy.local"), []string{"trusted_proxies", "neither an address nor a network"}},
		{"a network with host bits", flag("trusted_proxies", "10.1.2.3/8"), []string{"trusted_proxies", `did you mean "10.0.0.0/8"`}},
		{"a port alone", flag("listen", "8000"), []string{"listen", "host:port"}},
		{"no host", flag("listen", ":8000"), []string{"listen", "0.0.0.0:8000"}},
		{"no such port", flag("listen", "127.0.0.1:65536"), []string{"listen", "from 0 to 65535"}},
		{"a port by name", flag("listen", "127.0.0.1:http"), []string{"listen", "from 0 to 65535"}},
		{"a URL to listen at", flag("listen", "http://127.0.0.1:8000"), []string{"listen", "host:port"}},
		{"metrics in public", flag("ops_listen", "127.0.0.1:8000"), []string{"ops_listen", "must not be public"}},
		{"no data directory", flag("data", ""), []string{"data", "directory"}},
		{"a level that is none", flag("log_level", "warning"), []string{"log_level", `nearest is "warn"`}},
		{"a level in capitals", flag("log_level", "INFO"), []string{"log_level", "debug, info, warn, error"}},
		{"a format that is none", env("PRESENCE_LOG_FORMAT=jsonl"), []string{"log_format", `nearest is "json"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Load(tt.in)
			var all Problems
			if !errors.As(err, &all) || len(all) != 1 {
				t.Fatalf("want exactly one problem, got: %v", err)
			}
			for _, word := range tt.want {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("the message does not say %q:\n%v", word, err)
				}
			}
			if strings.Contains(err.Error(), goodKey) {
				t.Errorf("the message shows a secret:\n%v", err)
			}
		})
	}
}
