// Package archtest keeps the arrows of the house: who may import whom. The table is the one of
// docs/architecture.md; a new package or a new arrow is a line here, seen in review.
package archtest

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/offchat/presence"

// mayImport says which of our packages each of our packages may import. "" is the root package.
var mayImport = map[string][]string{
	"":                    {},
	"internal/changes":    {""},
	"internal/memory":     {"", "internal/changes", "internal/metrics"},
	"internal/valkey":     {"", "internal/changes", "internal/metrics"},
	"internal/sqlite":     {"", "internal/metrics"},
	"internal/postgres":   {"", "internal/metrics"},
	"internal/tracker":    {"", "internal/metrics"},
	"internal/auth":       {"", "internal/metrics"},
	"internal/compat":     {"", "internal/auth", "internal/tracker", "internal/metrics"},
	"internal/api":        {"", "internal/auth", "internal/personal", "internal/tracker", "internal/webhook", "wire"},
	"internal/personal":   {"", "wire"},
	"internal/webhook":    {"", "internal/metrics", "wire"},
	"internal/realtime":   {"", "internal/metrics", "wire"},
	"wire":                {},
	"client":              {"wire"},
	"examples/go-backend": {"client"},
	"internal/control":    {"", "internal/auth", "internal/personal", "internal/tracker", "internal/webhook", "wire"},
	"internal/httpd":      {"internal/metrics"},
	"internal/metrics":    {""},
	"internal/config":     {},
	"internal/canary":     {"internal/metrics"},
	"internal/assets":     {},
	"internal/dashboard":  {},
	"internal/enginetest": {""},
	"internal/loadgen":    {""},
	"internal/migrate":    {},
	"internal/storetest":  {""},
	"internal/testserver": {},
	"internal/archtest":   {},
	"internal/wiregen":    {},
	"internal/django":     {""},
	"internal/doctor":     {},
	"internal/backup":     {"internal/sqlite"},
	"internal/djangotest": {},
	"cmd/presence":        {"*"},
	"bench":               {"*"},
	"bench/child":         {"internal/loadgen"},
	"deploy":              {"bench/child"},
	"bench/crash":         {"", "bench/child", "internal/loadgen", "internal/sqlite"},
	"bench/cluster":       {"", "internal/postgres"},
	"bench/seed":          {"", "internal/sqlite"},
	"bench/feed":          {"", "bench/child", "internal/loadgen", "internal/sqlite", "wire"},
	"bench/stall":         {"", "bench/child", "internal/loadgen", "internal/sqlite"},

	"internal/forwardauth": {"", "internal/auth", "internal/tracker"},
	"examples":             {},
}

// forbidden are imports from outside that a package must do without. The rule touches nothing.
var forbidden = map[string][]string{
	"": {"net", "net/http", "os", "io/fs", "sync", "sync/atomic", "database/sql", "log", "log/slog"},
}

// onlyForTests may be imported by test files alone.
var onlyForTests = []string{"internal/enginetest", "internal/storetest", "internal/testserver", "internal/djangotest"}

type goPackage struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Dir,GoFiles,Imports,TestImports,XTestImports", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]goPackage{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return found
		} else if err != nil {
			t.Fatal(err)
		}
		found[ours(p.ImportPath)] = p
	}
}

func ours(path string) string { return strings.TrimPrefix(strings.TrimPrefix(path, module), "/") }

func isOurs(path string) bool { return path == module || strings.HasPrefix(path, module+"/") }

func TestArrows(t *testing.T) {
	for name, p := range packages(t) {
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not in the table: say what it may import", p.ImportPath)
			continue
		}
		for _, path := range p.Imports {
			if isOurs(path) && !slices.Contains(allowed, ours(path)) && !slices.Contains(allowed, "*") {
				t.Errorf("%s must not import %s", p.ImportPath, path)
			}
			if isOurs(path) && slices.Contains(onlyForTests, ours(path)) {
				t.Errorf("%s imports %s, which is for tests", p.ImportPath, path)
			}
			if slices.Contains(forbidden[name], path) {
				t.Errorf("%s must do without %s", p.ImportPath, path)
			}
		}
		if name != "cmd/presence" && slices.Contains(p.Imports, module+"/cmd/presence") {
			t.Errorf("%s imports the command", p.ImportPath)
		}
	}
}

func TestTableHasNoDeadLines(t *testing.T) {
	found := packages(t)
	for name := range mayImport {
		if _, ok := found[name]; !ok {
			t.Errorf("%q is in the table but not in the house", name)
		}
	}
}

// The rule reads no clock and starts no goroutine.
func TestTheRuleIsPure(t *testing.T) {
	root := packages(t)[""]
	files := token.NewFileSet()
	for _, name := range root.GoFiles {
		file, err := parser.ParseFile(files, root.Dir+"/"+name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: starts a goroutine", files.Position(n.Pos()))
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" &&
					slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}, n.Sel.Name) {
					t.Errorf("%s: reads the clock (time.%s)", files.Position(n.Pos()), n.Sel.Name)
				}
			}
			return true
		})
	}
}
