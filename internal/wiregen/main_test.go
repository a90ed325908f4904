package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFilesAreCurrent(t *testing.T) {
	root, err := repository(".")
	if err != nil {
		t.Fatal(err)
	}
	files, err := generate(root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s is stale, run go generate ./wire (-is to be, +is):\n%s", path, diff)
		}
	}
}

func TestTypes(t *testing.T) {
	dir := t.TempDir()
	source := "package wire\n\nimport \"time\"\n\n" +
		"// Person is somebody.\n" +
		"type Person struct {\n" +
		"\tID string `json:\"id\" doc:\"Never given twice.\"`\n" +
		"\tStatus string `json:\"status\" enum:\"online,away,offline\"`\n" +
		"\tKind string `json:\"kind\" enum:\"cat,dog\"`\n" +
		"\tColours []string `json:\"colours\" enum:\"red,blue\"`\n" +
		"\tBest *string `json:\"best\" enum:\"online,away,offline\"`\n" +
		"\tSeen *time.Time `json:\"seen\"`\n" +
		"\tUntil *time.Time `json:\"until,omitempty\"`\n" +
		"\tCounts map[string]int `json:\"counts,omitempty\"`\n" +
		"\tSecret string `json:\"-\"`\n" +
		"}\n\n" +
		"type Row struct {\n\tPerson\n\tFriends []Person `json:\"friends\"`\n\tWindow *[2]int64 `json:\"window,omitempty\"`\n\tMore any `json:\"more\"`\n}\n\n" +
		"type FeedRequest struct {\n\tT string `json:\"t\" frames:\"auth,sub\"`\n\tUsers []string `json:\"users,omitempty\" frames:\"auth?,sub\"`\n}\n\n" +
		"type FeedGap struct {\n\tT string `json:\"t\"` // gap\n\tFull bool `json:\"full,omitempty\"`\n}\n\n" +
		"type Alone struct {\n\tN float64 `json:\"n\"`\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "wire.go"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	types, err := read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if types, err = reachable(types, []string{"Row", "ClientFrame", "ServerFrame"}); err != nil {
		t.Fatal(err)
	}
	want := head + `
export type Status = 'online' | 'away' | 'offline'

/** Person is somebody. */
export interface Person {
  /** Never given twice. */
  id: string
  status: Status
  kind: 'cat' | 'dog'
  colours: ('red' | 'blue')[]
  best: Status | null
  seen: string | null
  until?: string
  counts?: Record<string, number>
}

export interface Row extends Person {
  friends: Person[]
  window?: [number, number]
  more: unknown
}

export interface FeedGap {
  t: 'gap'
  full?: boolean
}

/** What a client says over the feed. */
export type ClientFrame = { t: 'auth'; users?: string[] } | { t: 'sub'; users: string[] }

/** What the server says over the feed. */
export type ServerFrame = FeedGap
`
	if diff := cmp.Diff(want, string(write(types))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatHasNoTypeScriptIsRefused(t *testing.T) {
	for _, line := range []string{"F func()", "F func() `json:\"f\"`", "F [3]int `json:\"f\"`", "F string `json:\",omitempty\"`", "F net.IP `json:\"f\"`"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "wire.go"), []byte("package wire\n\ntype A struct {\n\t"+line+"\n}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := read(dir); err == nil || !strings.Contains(err.Error(), "A.F") {
			t.Errorf("%s: got %v, want an error that names A.F", line, err)
		}
	}
}
