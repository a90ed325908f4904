package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal returns both ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	number, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals here: ", err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

func echoes(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), getTermios)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// asking notes whether the terminal echoes at the moment each question is asked, and types the answer.
type asking struct {
	t        *testing.T
	keyboard *os.File
	terminal *os.File
	answers  []string
	echoed   bool
}

func (a *asking) Write(p []byte) (int, error) {
	if strings.HasSuffix(string(p), ": ") {
		a.echoed = a.echoed || echoes(a.t, a.terminal)
		answer := a.answers[0]
		a.answers = a.answers[1:]
		fmt.Fprintf(a.keyboard, "%s\n", answer)
	}
	return len(p), nil
}

func TestPasswordsAreTypedUnseen(t *testing.T) {
	tests := []struct {
		name, first, again, wrong string
	}{
		{"twice the same", "Sekrit pass 1", "Sekrit pass 1", ""},
		{"a slip", "Sekrit pass 1", "Sekrit pass 2", "differ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			keyboard, terminal := openTerminal(t)
			person := &asking{t: t, keyboard: keyboard, terminal: terminal, answers: []string{tt.first, tt.again}}
			password, err := readPassword(&process{ctx: t.Context(), stdin: terminal, stderr: person}, false, "ann")
			switch {
			case tt.wrong == "" && (err != nil || password != tt.first):
				t.Errorf("got %q, %v", password, err)
			case tt.wrong != "" && (err == nil || !strings.Contains(err.Error(), tt.wrong)):
				t.Errorf("got %q, %v; want it refused", password, err)
			}
			if person.echoed {
				t.Error("the password could be read on the screen")
			}
			if !echoes(t, terminal) {
				t.Error("the terminal does not echo any more")
			}
		})
	}
}
