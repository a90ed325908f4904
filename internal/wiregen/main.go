// Command wiregen writes the types of package wire as TypeScript, so that client and dashboard cannot know them
// otherwise than the server does: sdk/src/wire.ts has what the client speaks, web/src/wire.ts has everything.
// Run it with `go generate ./wire`; its test fails when a file is stale.
//
// It reads the source, because that has the comments. What a field looks like follows from encoding/json and from
// these tags:
//
//	enum:"a,b"     a string that is one of these
//	doc:"…"        what it means
//	frames:"a,b?"  of FeedRequest: the frames that have the field; with a question mark those that may have it
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// outputs are the files, from the root of the repository, and the types each of them starts from; none means all.
var outputs = []struct {
	path  string
	roots []string
}{
	{"sdk/src/wire.ts", []string{"ClientFrame", "ServerFrame", "FeedTicket", "PresenceQuery", "PresenceList", "Touch", "Touched", "Settings", "Problem"}},
	{"web/src/wire.ts", nil},
}

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "wiregen:", err)
		os.Exit(1)
	}
}

// run writes every output that is not what it should be. from is a directory of the repository.
func run(from string) error {
	root, err := repository(from)
	if err != nil {
		return err
	}
	files, err := generate(root)
	if err != nil {
		return err
	}
	for path, text := range files {
		path = filepath.Join(root, path)
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, text) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generate returns what every output should be, by path from the root.
func generate(root string) (map[string][]byte, error) {
	types, err := read(filepath.Join(root, "wire"))
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, out := range outputs {
		kept := types
		if out.roots != nil {
			if kept, err = reachable(types, out.roots); err != nil {
				return nil, err
			}
		}
		files[out.path] = write(kept)
	}
	return files, nil
}

// reachable are the types that the roots need, in their order.
func reachable(types []typeDecl, roots []string) ([]typeDecl, error) {
	byName := map[string]typeDecl{}
	for _, t := range types {
		byName[t.name] = t
	}
	kept := map[string]bool{}
	var visit func(name string) error
	visit = func(name string) error {
		t, known := byName[name]
		if !known {
			return fmt.Errorf("there is no type %s", name)
		}
		if kept[name] {
			return nil
		}
		kept[name] = true
		for _, need := range t.needs {
			if err := visit(need); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		return nil
	}
	for _, name := range roots {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return slices.DeleteFunc(slices.Clone(types), func(t typeDecl) bool { return !kept[t.name] }), nil
}

// repository is the nearest directory above, or from itself, that has a go.mod.
func repository(from string) (string, error) {
	dir, err := filepath.Abs(from)
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod in " + from + " or above")
		}
		dir = up
	}
}
