package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pages that are made from the code")

func outputOf(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	p := &process{ctx: t.Context(), stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard}
	if code := run(args, p); code != exitOK {
		t.Fatalf("presence %s ends with %d", strings.Join(args, " "), code)
	}
	return out.String()
}

// What bash offers after some words, with the script that we print.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is missing")
	}
	script := outputOf(t, "completion", "bash")
	tests := []struct {
		words string // the last one is what is being written
		want  []string
		not   []string
	}{
		{"presence ", []string{"serve", "user", "config", "bench"}, []string{"man"}},
		{"presence us", []string{"user"}, []string{"serve"}},
		{"presence user ", []string{"create", "ban", "set-password"}, []string{"serve"}},
		{"presence user create --r", []string{"--role"}, []string{"--json"}},
		{"presence user create --role ", []string{"admin", "moderator", "user"}, []string{"--role"}},
		{"presence user list --status o", []string{"online", "offline"}, []string{"away"}},
		{"presence serve --offline", []string{"--offline-after"}, nil},
		{"presence serve --log-level ", []string{"debug", "info", "warn", "error"}, nil},
		{"presence serve --log-level debug --log-f", []string{"--log-format"}, nil},
		{"presence completion --", []string{"--help"}, []string{"--role"}},
	}
	for _, test := range tests {
		words := strings.Split(test.words, " ")
		cmd := exec.Command(bash, append([]string{"-c", script + `
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _presence; printf '%s\n' "${COMPREPLY[@]}"`, "bash"}, words...)...)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", test.words, err, out)
		}
		offered := strings.Fields(string(out))
		for _, word := range test.want {
			if !slices.Contains(offered, word) {
				t.Errorf("after %q bash does not offer %s: %q", test.words, word, offered)
			}
		}
		for _, word := range test.not {
			if slices.Contains(offered, word) {
				t.Errorf("after %q bash offers %s", test.words, word)
			}
		}
	}
}

// Every command and flag is in the manual and in the scripts of all shells.
func TestEverythingIsDocumented(t *testing.T) {
	places, err := grammar(&process{stdout: io.Discard, stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	manual := strings.ReplaceAll(outputOf(t, "man"), `\-`, "-")
	fish, bash := outputOf(t, "completion", "fish"), outputOf(t, "completion", "bash")
	for _, at := range places {
		if at.path != "" && len(at.commands) == 0 && !strings.Contains(manual, `"presence `+at.path+at.args+`"`) {
			t.Errorf("the manual does not have %q", at.path)
		}
		for _, f := range at.flags {
			if !f.setting && !strings.Contains(manual, "--"+f.name) {
				t.Errorf("the manual does not have --%s of %q", f.name, at.path)
			}
			if !strings.Contains(fish, "-l "+f.name+" ") || !strings.Contains(bash, "--"+f.name) {
				t.Errorf("a shell does not complete --%s of %q", f.name, at.path)
			}
		}
	}
	if groff, err := exec.LookPath("groff"); err == nil {
		cmd := exec.Command(groff, "-man", "-Tutf8", "-ww", "-z")
		cmd.Stdin = strings.NewReader(outputOf(t, "man"))
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("groff complains about the manual: %v\n%s", err, out)
		}
	}
}

func TestSettingsPageIsCurrent(t *testing.T) {
	const page = "../../docs/settings.md"
	want := outputOf(t, "config", "document")
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != want {
		t.Errorf("docs/settings.md is behind the code; go test ./cmd/presence -run SettingsPage -update (%v)", err)
	}
}
