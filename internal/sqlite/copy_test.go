package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/offchat/presence"
)

func TestACopyHoldsWhatWasAcknowledgedBeforeItBegan(t *testing.T) {
	s := openNew(t)
	ctx, stop := context.WithCancel(t.Context())
	var acknowledged atomic.Int64 // names up to it
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				n := acknowledged.Load() + 1
				if err := s.Durable(context.Background(), insertOne(fmt.Sprintf("user%06d", n))); err == nil {
					for old := acknowledged.Load(); old < n && !acknowledged.CompareAndSwap(old, n); old = acknowledged.Load() {
					}
				} else if presence.KindOf(err) != presence.Conflict {
					t.Error(err)
				}
			}
		})
	}
	for acknowledged.Load() < 100 { // the writers are at it
		if t.Context().Err() != nil {
			t.Fatal("nothing was written")
		}
	}
	for i := range 3 {
		before := acknowledged.Load()
		to := filepath.Join(t.TempDir(), "copy.db")
		if err := Copy(t.Context(), s.path, to); err != nil {
			t.Fatal(err)
		}
		found, err := Inspect(t.Context(), to)
		if err != nil {
			t.Fatal(err)
		}
		if found.Rows["users"] < before || found.Schema != found.Known || found.Newer() {
			t.Errorf("copy %d has %d users of schema %d (known %d); %d were acknowledged before", i, found.Rows["users"], found.Schema, found.Known, before)
		}
		if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy's mode: %v %v", info.Mode(), err)
		}
		if companions, _ := filepath.Glob(to + "-*"); len(companions) > 0 {
			t.Errorf("the copy has companions: %v", companions)
		}
		c := openAt(t, to)
		for n := int64(1); n <= before; n += 17 {
			if !exists(t, c, fmt.Sprintf("user%06d", n)) {
				t.Errorf("user %d was acknowledged and is not in the copy", n)
			}
		}
	}
	stop()
	writers.Wait()
}

func TestACopyIsNeverMadeOverSomething(t *testing.T) {
	s := openNew(t)
	to := filepath.Join(t.TempDir(), "there")
	if err := os.WriteFile(to, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Copy(t.Context(), s.path, to); err == nil {
		t.Error("a file was replaced")
	}
	if text, _ := os.ReadFile(to); string(text) != "precious" {
		t.Errorf("it holds %q", text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	to = filepath.Join(t.TempDir(), "new")
	if err := Copy(ctx, s.path, to); err == nil {
		t.Error("it went on after its end")
	}
	if _, err := os.Stat(to); err == nil {
		t.Error("half a copy is left")
	}
}

func TestInspectionFindsDamage(t *testing.T) {
	s := openNew(t)
	for i := range 500 {
		if err := s.Durable(t.Context(), insertOne(fmt.Sprint("user", i))); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	if err := Copy(t.Context(), s.path, good); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := func(name string, change func([]byte) []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, change(append([]byte(nil), whole...)), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct{ path, says string }{
		{spoiled("page", func(b []byte) []byte { clear(b[10*4096 : 11*4096]); return b }), "damaged"},
		{spoiled("short", func(b []byte) []byte { return b[:len(b)/2] }), "damaged"},
		{spoiled("empty", func([]byte) []byte { return nil }), "damaged"},
		{spoiled("text", func([]byte) []byte { return []byte("hello, this is no database at all") }), "damaged"},
		{filepath.Join(dir, "missing"), "no such file"},
	} {
		_, err := Inspect(t.Context(), c.path)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", filepath.Base(c.path), err, c.says)
		}
		if c.says == "damaged" && !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v is no ErrDamaged", filepath.Base(c.path), err)
		}
	}
	if _, err := Inspect(t.Context(), good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}
