package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// isTerminal reports whether a person is at the other end.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), getTermios)
	return err == nil
}

// maxPasswordInput is more than any password may have.
const maxPasswordInput = 4096

// readPassword reads a password from standard input, or asks for it twice at a terminal. There is no flag
// for it: other users of the machine see flags, and shells keep them.
func readPassword(p *process, fromStdin bool, name string) (string, error) {
	if fromStdin {
		return passwordLine(p.stdin)
	}
	if !isTerminal(p.stdin) {
		return "", usageError{"there is no terminal to ask for the password at; pipe it in with --password-stdin"}
	}
	first, err := askHidden(p, fmt.Sprintf("Password for %s: ", name))
	if err != nil {
		return "", err
	}
	again, err := askHidden(p, "The same again: ")
	if err != nil {
		return "", err
	}
	if first != again {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

// passwordLine takes all of the input for the password, without the end of its one line.
func passwordLine(in io.Reader) (string, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxPasswordInput+1))
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case password == "":
		return "", usageError{"there is no password on standard input"}
	case len(text) > maxPasswordInput:
		return "", usageError{"the password on standard input is too long"}
	case strings.ContainsAny(password, "\r\n"):
		return "", usageError{"there is more than one line on standard input; the password is one"}
	}
	return password, nil
}

// askHidden asks at the terminal without showing what is typed. An interrupt gives the terminal back as it was.
func askHidden(p *process, question string) (string, error) {
	fd := int(p.stdin.(*os.File).Fd())
	before, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	hidden := *before
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, setTermios, &hidden); err != nil {
		return "", fmt.Errorf("ask for the password: %w", err)
	}
	defer func() {
		_ = unix.IoctlSetTermios(fd, setTermios, before)
		fmt.Fprintln(p.stderr)
	}()
	fmt.Fprint(p.stderr, question)
	return lineOrInterrupt(p.ctx, p.stdin)
}

func lineOrInterrupt(ctx context.Context, in io.Reader) (string, error) {
	type result struct {
		line string
		err  error
	}
	read := make(chan result, 1) // so that the reader ends even when nobody waits any more
	go func() {
		line, err := bufio.NewReaderSize(in, 1).ReadString('\n')
		read <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", errors.New("interrupted")
	case r := <-read:
		if r.err != nil && r.line == "" {
			return "", fmt.Errorf("read the password: %w", r.err)
		}
		return strings.TrimRight(r.line, "\r\n"), nil
	}
}
