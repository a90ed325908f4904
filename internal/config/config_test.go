package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

const goodKey = "k9Jx2mQvT7wZ4bR8nY3cL6pF1sD5gHa0"

func TestFlagsBeatEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	const inFile, inEnv, inFlag = `offline_after = "3m"`, "PRESENCE_OFFLINE_AFTER=5m", "7m"
	tests := []struct {
		name            string
		file, env, flag bool
		want            time.Duration
		from            string
	}{
		{"nothing is written", false, false, false, 2 * time.Minute, "default"},
		{"the file alone", true, false, false, 3 * time.Minute, "file FILE: offline_after"},
		{"the environment alone", false, true, false, 5 * time.Minute, "environment PRESENCE_OFFLINE_AFTER"},
		{"the flag alone", false, false, true, 7 * time.Minute, "flag --offline-after"},
		{"environment over file", true, true, false, 5 * time.Minute, "environment PRESENCE_OFFLINE_AFTER"},
		{"flag over file", true, false, true, 7 * time.Minute, "flag --offline-after"},
		{"flag over environment", false, true, true, 7 * time.Minute, "flag --offline-after"},
		{"flag over both", true, true, true, 7 * time.Minute, "flag --offline-after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := Input{Flags: map[string]string{}}
			if tt.file {
				in.File = write(t, "presence.toml", inFile)
			}
			if tt.env {
				in.Environ = append(in.Environ, inEnv)
			}
			if tt.flag {
				in.Flags["offline_after"] = inFlag
			}
			c, err := Load(in)
			if err != nil {
				t.Fatal(err)
			}
			from := strings.ReplaceAll(c.SourceOf("offline_after").String(), in.File, "FILE")
			if in.File == "" {
				from = c.SourceOf("offline_after").String()
			}
			if c.OfflineAfter != tt.want || from != tt.from {
				t.Errorf("offline_after is %s from %s, want %s from %s", c.OfflineAfter, from, tt.want, tt.from)
			}
		})
	}
}

func TestTheFileIsNamedByFlagOrEnvironment(t *testing.T) {
	one, two := write(t, "one.toml", `log_level = "warn"`), write(t, "two.toml", `log_level = "error"`)
	c, err := Load(Input{Environ: []string{"PRESENCE_CONFIG=" + one}})
	if err != nil || c.LogLevel != "warn" {
		t.Errorf("PRESENCE_CONFIG: log_level %q, %v; want warn", c.LogLevel, err)
	}
	c, err = Load(Input{Environ: []string{"PRESENCE_CONFIG=" + one}, File: two})
	if err != nil || c.LogLevel != "error" {
		t.Errorf("the flag's file: log_level %q, %v; want error", c.LogLevel, err)
	}
}

// TestEverySettingCanBeWrittenEverywhere reads the same values from all three places.
func TestEverySettingCanBeWrittenEverywhere(t *testing.T) {
	values := map[string]string{
		"listen": "0.0.0.0:9000", "ops_listen": "127.0.0.1:9001", "data": "/srv/p", "offline_after": "1d",
		"heartbeat_interval": "40s", "refresh_interval": "11s", "sweep_interval": "2s", "leave_grace": "12s",
		"idle_after": "6m", "access_token_lifetime": "61m", "refresh_token_lifetime": "1d12h",
		"database": "postgres://presence:p%40ss@db:5432/presence", "engine": "valkey://:pw@cache:6379", "node": "a-1",
		"signing_key": goodKey, "signing_keys_old": goodKey + "x," + goodKey + "y",
		"cors_origins":    "https://a.example,http://localhost:5173",
		"trusted_proxies": "10.0.0.0/8,::1", "history_retention": "30d", "trash_retention": "60d", "log_level": "debug", "log_format": "json", "canaries": "on",
		"backup_every": "12h", "backup_keep": "30", "backup_dir": "/mnt/nas", "backup_before_upgrade": "off",
		"webhook_allow_networks": "10.0.0.0/8,127.0.0.1", "webhook_disable_after": "2d", "webhook_retention": "3d",
		"forward_auth_cookie": "jwt", "forward_auth_header": "X-Auth-User", "forward_auth_header_is": "email",
		"forward_auth_trusted": "10.0.0.5", "forward_auth_optional": "yes",
	}
	var file strings.Builder
	var env []string
	flags := map[string]string{}
	for _, s := range table {
		v, ok := values[s.key]
		if !ok {
			t.Fatalf("this test does not know the setting %s", s.key)
		}
		fmt.Fprintf(&file, "%s = %q\n", s.key, v)
		env = append(env, s.env()+"="+v)
		flags[s.key] = v
	}
	fromFile, err1 := Load(Input{File: write(t, "all.toml", file.String())})
	fromEnv, err2 := Load(Input{Environ: env})
	fromFlags, err3 := Load(Input{Flags: flags})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	fromFile.sources, fromEnv.sources, fromFlags.sources = nil, nil, nil
	if !reflect.DeepEqual(fromFile, fromEnv) || !reflect.DeepEqual(fromEnv, fromFlags) {
		t.Errorf("the three places read differently:\n%+v\n%+v\n%+v", fromFile, fromEnv, fromFlags)
	}
	if got := fromEnv.RefreshTokenLifetime; got != 36*time.Hour {
		t.Errorf("1d12h was read as %s", got)
	}
	if len(fromEnv.SigningKeysOld) != 2 || string(fromEnv.SigningKeysOld[1]) != goodKey+"y" {
		t.Errorf("the list of old keys has %d entries", len(fromEnv.SigningKeysOld))
	}
}

func TestDefaultsAreTheDocumentedOnes(t *testing.T) {
	c, err := Load(Input{Environ: []string{"HOME=/home/ann"}})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"listen": "127.0.0.1:8000", "ops_listen": "off", "data": "/home/ann/.local/share/presence",
		"offline_after": "2m", "heartbeat_interval": "30s", "refresh_interval": "10s", "sweep_interval": "1s",
		"leave_grace": "10s", "idle_after": "5m", "access_token_lifetime": "1h", "refresh_token_lifetime": "7d",
		"database": "", "engine": "", "node": "",
		"signing_key": "", "signing_keys_old": "", "cors_origins": "", "trusted_proxies": "",
		"history_retention": "90d", "trash_retention": "0s", "log_level": "info", "log_format": "auto", "canaries": "off",
		"backup_every": "24h", "backup_keep": "7", "backup_dir": "", "backup_before_upgrade": "on",
		"webhook_allow_networks": "", "webhook_disable_after": "5d", "webhook_retention": "7d",
		"forward_auth_cookie": "", "forward_auth_header": "", "forward_auth_header_is": "username", "forward_auth_trusted": "",
		"forward_auth_optional": "no",
	}
	for _, s := range c.Effective() {
		if s.Value != want[s.Key] || s.Source.String() != "default" {
			t.Errorf("%s is %q from %s, want %q from default", s.Key, s.Value, s.Source, want[s.Key])
		}
	}
	if len(c.Effective()) != len(want) {
		t.Errorf("%d settings, %d documented here", len(c.Effective()), len(want))
	}
}

func TestDataDirectoryDoesNotDependOnTheWorkingDirectory(t *testing.T) {
	tests := []struct {
		name string
		env  []string
		want string
	}{
		{"XDG_DATA_HOME", []string{"XDG_DATA_HOME=/data/ann", "HOME=/home/ann"}, "/data/ann/presence"},
		{"a relative XDG_DATA_HOME is ignored", []string{"XDG_DATA_HOME=data", "HOME=/home/ann"}, "/home/ann/.local/share/presence"},
		{"a home", []string{"HOME=/home/ann"}, "/home/ann/.local/share/presence"},
		{"no home", nil, "presence-data"},
	}
	for _, tt := range tests {
		c, err := Load(Input{Environ: tt.env})
		if err != nil || c.Data != tt.want {
			t.Errorf("%s: data is %q (%v), want %q", tt.name, c.Data, err, tt.want)
		}
	}
}

func TestSecretsComeFromFilesAndAreNeverShown(t *testing.T) {
	path := write(t, "key", goodKey+"\n")
	old := write(t, "old", goodKey+",with,commas\n"+goodKey+"2\n")
	c, err := Load(Input{
		Environ: []string{"PRESENCE_SIGNING_KEY_FILE=" + path},
		Flags:   map[string]string{"signing_keys_old_file": old},
	})
	if err != nil {
		t.Fatal(err)
	}
	if string(c.SigningKey) != goodKey {
		t.Errorf("the key was read with %d bytes, want %d: its line end is not part of it", len(c.SigningKey), len(goodKey))
	}
	if len(c.SigningKeysOld) != 2 || string(c.SigningKeysOld[0]) != goodKey+",with,commas" {
		t.Errorf("%d old keys; a file has one key a line, and commas may be part of it", len(c.SigningKeysOld))
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %v", c, *c, *c, asJSON, c.Effective())
	if strings.Contains(shown, goodKey) {
		t.Errorf("the key is shown in %s", shown)
	}
	if from := c.SourceOf("signing_key").String(); from != "environment PRESENCE_SIGNING_KEY_FILE" {
		t.Errorf("signing_key is said to come from %s", from)
	}
}

func TestWhatIsNotAMistakeIsNotRefused(t *testing.T) {
	tests := []struct {
		name string
		in   Input
	}{
		{"an empty variable, as compose files pass them", Input{Environ: []string{"PRESENCE_OPS_LISTEN=", "PRESENCE_SIGNING_KEY="}}},
		{"variables of others", Input{Environ: []string{"PRESENCEX=1", "MY_PRESENCE_THING=2", "PATH=/bin"}}},
		{"Kubernetes service links", Input{Environ: []string{
			"PRESENCE_SERVICE_HOST=10.0.0.1", "PRESENCE_SERVICE_PORT=80", "PRESENCE_SERVICE_PORT_HTTP=80",
			"PRESENCE_PORT=tcp://10.0.0.1:80", "PRESENCE_PORT_80_TCP=tcp://10.0.0.1:80",
			"PRESENCE_PORT_80_TCP_PROTO=tcp", "PRESENCE_PORT_80_TCP_PORT=80", "PRESENCE_PORT_80_TCP_ADDR=10.0.0.1",
			"PRESENCE_OPS_SERVICE_HOST=10.0.0.2",
		}}},
		{"what backends and examples are given", Input{Environ: []string{
			"PRESENCE_URL=http://127.0.0.1:8000", "PRESENCE_TOKEN=opt_x", "PRESENCE_API_KEY=opt_x",
		}}},
		{"exactly twice", Input{Flags: map[string]string{"offline_after": "60s", "heartbeat_interval": "30s"}}},
		{"the demo", Input{Environ: []string{"PRESENCE_OFFLINE_AFTER=12s", "PRESENCE_HEARTBEAT_INTERVAL=3s"}}},
		{"an empty list", Input{Flags: map[string]string{"cors_origins": ""}}},
		{"two free ports", Input{Flags: map[string]string{"listen": "127.0.0.1:0", "ops_listen": "127.0.0.1:0"}}},
		{"an address as a network", Input{Flags: map[string]string{"trusted_proxies": "::ffff:10.0.0.1, 2001:db8::/32"}}},
	}
	for _, tt := range tests {
		if _, err := Load(tt.in); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	_, err := Load(Input{
		File:    write(t, "bad.toml", "ofline_after = \"2m\"\nlog_level = \"loud\"\n"),
		Environ: []string{"PRESENCE_LISTEM=x", "PRESENCE_LEAVE_GRACE=10"},
		Flags:   map[string]string{"idle_after": "0"},
	})
	var all Problems
	if !errors.As(err, &all) || len(all) != 5 {
		t.Fatalf("want five problems, got %v", err)
	}
	for _, word := range []string{"ofline_after", "log_level", "PRESENCE_LISTEM", "leave_grace", "idle_after"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s is not mentioned in:\n%v", word, err)
		}
	}
}

func TestDurationsAreWrittenAsPeopleWriteThem(t *testing.T) {
	for _, text := range []string{"1s", "90s", "2m", "12s", "1h", "1h30m", "1h0m5s", "24h", "7d", "90d", "3650d", "1.5s"} {
		d, err := ParseDuration(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		again, err := ParseDuration(FormatDuration(d))
		if err != nil || again != d {
			t.Errorf("%s is written as %q, which reads as %s (%v)", text, FormatDuration(d), again, err)
		}
	}
	for d, want := range map[time.Duration]string{
		2 * time.Minute: "2m", time.Hour: "1h", 7 * day: "7d", 90 * time.Second: "1m30s", 24 * time.Hour: "24h", 10 * time.Second: "10s",
	} {
		if got := FormatDuration(d); got != want {
			t.Errorf("%s is written as %q, want %q", d, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for typed, want := range map[string]string{
		"ofline_after": "offline_after", "offline_atfer": "offline_after", "lisen": "listen", "heartbeat": "heartbeat_interval",
		"ofline": "offline_after", "access_token": "access_token_lifetime",
		"cors_origin": "cors_origins", "trusted_proxy": "trusted_proxies", "signing-key": "signing_key", "loglevel": "log_level",
	} {
		if got := nearest(typed, names()); got != want {
			t.Errorf("the nearest to %q is %q, want %q", typed, got, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, text := range []string{"7d", "1d12h", "2m", "-1", "NaN", "1e300", "9999999h", "65535d23h", "d", "1dd", ""} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDuration(text)
		if err != nil {
			return
		}
		if again, err := ParseDuration(FormatDuration(d)); err != nil || again != d {
			t.Errorf("%q reads as %d, is written as %q, which reads as %d (%v)", text, d, FormatDuration(d), again, err)
		}
	})
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
