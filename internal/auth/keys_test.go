package auth

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/offchat/presence"
)

func TestAKeyIsMadeAtTheFirstStartAndFoundAtTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "signing.key")
	first, err := LoadOrCreateKey(path)
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadOrCreateKey(path)
	if err != nil || string(first) != string(second) || len(first) != 43 {
		t.Errorf("%d bytes, then %d bytes, %v", len(first), len(second), err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
	other, err := LoadOrCreateKey(filepath.Join(t.TempDir(), "signing.key"))
	if err != nil || string(other) == string(first) {
		t.Error("two keys are one")
	}
}

func TestProcessesThatStartTogetherShareOneKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signing.key")
	keys := make([]string, 16)
	var group sync.WaitGroup
	for i := range keys {
		group.Go(func() {
			key, err := LoadOrCreateKey(path)
			if err != nil {
				t.Error(err)
			}
			keys[i] = string(key)
		})
	}
	group.Wait()
	for _, key := range keys {
		if key != keys[0] {
			t.Fatal("different keys")
		}
	}
}

func TestBadKeyFilesAreRefusedWithACure(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
		says string
	}{
		"readable by all":   {strings.Repeat("k", 50), 0o644, "chmod 600"},
		"readable by group": {strings.Repeat("k", 50), 0o640, "chmod 600"},
		"short":             {"secret\n", 0o600, "at least 32"},
		"empty":             {"", 0o600, "at least 32"},
		"large":             {strings.Repeat("k", 100_000), 0o600, "not a key"},
	} {
		path := filepath.Join(t.TempDir(), "signing.key")
		if err := os.WriteFile(path, []byte(c.text), c.mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := LoadOrCreateKey(path)
		if err == nil || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := LoadOrCreateKey(t.TempDir()); err == nil {
		t.Error("a folder is taken for a key")
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	if _, err := NewKeys([]byte(strings.Repeat("k", 31))); err == nil {
		t.Error("31 bytes sign")
	}
	if _, err := NewKeys([]byte(testKey), []byte("old")); err == nil {
		t.Error("3 bytes verify")
	}
	if _, err := New(Config{Store: newFakeStore(), Presence: &fakePresence{}}); err == nil {
		t.Error("a Service without keys")
	}
}

func TestTokensDoNotPrintThemselves(t *testing.T) {
	tokens := Tokens{Access: "secret-a", Refresh: "secret-r"}
	if text := tokens.String() + tokens.GoString(); strings.Contains(text, "secret") {
		t.Error(text)
	}
}

func TestForeignSessionNames(t *testing.T) {
	seen := map[presence.SessionID]bool{}
	for _, kind := range []tokenType{accessToken, refreshToken} {
		for _, jti := range []string{"", "a", "b", strings.Repeat("j", 255)} {
			id := foreignSession(kind, jti)
			if !id.Drawable() || seen[id] || id != foreignSession(kind, jti) {
				t.Errorf("%v %q: %v", kind, jti, id)
			}
			seen[id] = true
		}
	}
}
