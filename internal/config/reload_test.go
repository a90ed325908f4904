package config

import (
	"reflect"
	"testing"
	"time"
)

func TestReloadTakesWhatMayChangeAndNamesTheRest(t *testing.T) {
	running := mustLoad(t, "PRESENCE_LISTEN=127.0.0.1:1", "PRESENCE_SIGNING_KEY=0123456789abcdef0123456789abcdef", "PRESENCE_CORS_ORIGINS=https://a.example")
	next := mustLoad(t, "PRESENCE_LISTEN=127.0.0.1:2", "PRESENCE_SIGNING_KEY=fedcba9876543210fedcba9876543210", "PRESENCE_LOG_LEVEL=debug",
		"PRESENCE_HISTORY_RETENTION=30d")
	merged, changes := running.Reload(next)
	want := []Change{
		{"listen", "127.0.0.1:1", "127.0.0.1:2", false},
		{"signing_key", masked, masked, false},
		{"cors_origins", "https://a.example", "", true},
		{"history_retention", "90d", "30d", true},
		{"log_level", "info", "debug", true},
	}
	if !reflect.DeepEqual(changes, want) {
		t.Errorf("the changes are\n%+v, want\n%+v", changes, want)
	}
	if merged.Listen != running.Listen || merged.SigningKey != running.SigningKey || merged.LogLevel != "debug" ||
		merged.HistoryRetention != 30*24*time.Hour || len(merged.CORSOrigins) != 0 {
		t.Errorf("the server goes on with %+v", merged.Effective())
	}
	if from := merged.SourceOf("log_level"); from.Name != "PRESENCE_LOG_LEVEL" {
		t.Errorf("log_level is said to come from %s", from)
	}
	if from := merged.SourceOf("cors_origins"); from.Level != Default {
		t.Errorf("cors_origins is said to come from %s", from)
	}
	if running.LogLevel != "info" || len(running.CORSOrigins) != 1 {
		t.Error("what was running has been changed")
	}
}

func TestReloadOfTheSameChangesNothing(t *testing.T) {
	running := mustLoad(t, "PRESENCE_TRUSTED_PROXIES=10.0.0.0/8")
	if merged, changes := running.Reload(mustLoad(t, "PRESENCE_TRUSTED_PROXIES=10.0.0.0/8")); len(changes) != 0 || !reflect.DeepEqual(merged, running) {
		t.Errorf("changes: %+v", changes)
	}
}

func mustLoad(t *testing.T, environ ...string) *Config {
	t.Helper()
	c, err := Load(Input{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
