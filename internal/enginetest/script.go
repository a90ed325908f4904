package enginetest

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// Scripts are scenarios that a non-programmer can check. One command a line:
//
//	policy offline_after=12s leave_grace=2s heartbeat=3s   first line only
//	login u1 [s2]          beat, activity, touch, connect, ping, disconnect, idle, active, logout, forced, deleted
//	beat u1 [s2] [idle] [hidden] [interval=60s]
//	set u1 away [by=u9]    hold u1 offline [until=1h]      lift u1
//	refused beat u1        the signal belongs to a closed session and changes nothing
//	wait 1m59s
//	status u1 online [seen=0s] [since=0s] [cause=login] [sessions=1]
//	counts online=1 away=0 offline=2
//	links devices=2 connections=3
//	changes u1:offline>online:login u1:online>offline:timeout    all since the last time, or none
//	restart
//
// u1..u100 stands for many users. Sessions are named per user; without a name it is s1. Moments are
// durations since the script began; "never" is a moment too.
//
//go:embed scripts/*.txt
var scripts embed.FS

func runScripts(t *testing.T, setup Setup) {
	files, err := fs.Glob(scripts, "scripts/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		text, err := scripts.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, "scripts/"), ".txt")
		t.Run(name, func(t *testing.T) {
			setup.Within(t, func(t *testing.T) { (&script{setup: setup}).run(t, string(text)) })
		})
	}
}

type script struct {
	setup  Setup
	h      *Harness
	start  time.Time
	cursor presence.Cursor
	line   string
}

func (s *script) run(t *testing.T, text string) {
	policy := DefaultPolicy
	for n, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		s.line = fmt.Sprintf("line %d: %s", n+1, strings.Join(words, " "))
		if words[0] == "policy" {
			policy = s.policy(t, policy, words[1:])
			continue
		}
		if s.h == nil {
			s.h = s.setup.Open(t, policy)
			s.start = s.h.Now()
			s.cursor, _, _ = s.h.Engine.Snapshot(t.Context())
		}
		s.do(t, words[0], words[1:])
		if t.Failed() {
			return
		}
	}
}

func (s *script) do(t *testing.T, command string, args []string) {
	switch command {
	case "wait":
		s.h.Wait(s.duration(t, args[0]))
	case "status":
		s.checkStatus(t, args)
	case "counts":
		s.checkCounts(t, args)
	case "links":
		s.checkLinks(t, args)
	case "changes":
		s.checkChanges(t, args)
	case "restart":
		if s.h.Restart == nil {
			t.Skip("this engine's state does not die with the process")
		}
		s.h.Restart()
		s.cursor, _, _ = s.h.Engine.Snapshot(t.Context())
	case "refused":
		s.signal(t, args[0], args[1:], presence.ErrClosed)
	default:
		s.signal(t, command, args, nil)
	}
}

var scriptWords = map[string]string{"beat": "heartbeat"}

func (s *script) signal(t *testing.T, command string, args []string, want error) {
	t.Helper()
	if long, ok := scriptWords[command]; ok {
		command = long
	}
	kind, ok := presence.ParseKind(command)
	if !ok || len(args) == 0 {
		t.Fatalf("%s: no such command", s.line)
	}
	for _, user := range s.users(t, args[0]) {
		sig := presence.Signal{User: user, Kind: kind, At: s.h.Now(), Session: sessionOf(user, 1)}
		switch kind {
		case presence.Forced, presence.Deleted, presence.Set, presence.SetHold, presence.LiftHold:
			sig.Session = presence.EverySession
		}
		for _, word := range args[1:] {
			s.option(t, &sig, word)
		}
		if _, err := s.h.Engine.Signal(t.Context(), sig); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Fatalf("%s: got %v, want %v", s.line, err, want)
		}
	}
}

func (s *script) option(t *testing.T, sig *presence.Signal, word string) {
	t.Helper()
	key, value, _ := strings.Cut(word, "=")
	if status, ok := presence.ParseStatus(word); ok {
		sig.Status = status
		return
	}
	switch {
	case key == "idle":
		sig.Idle = true
	case key == "hidden":
		sig.Hidden = true
	case key == "interval":
		sig.Interval = s.duration(t, value)
	case key == "until":
		sig.Until = s.start.Add(s.duration(t, value)).UTC()
	case key == "by":
		sig.Actor = s.users(t, value)[0]
	case key == "also":
		sig.Sessions = append(sig.Sessions, sessionOf(sig.User, s.number(t, value[1:])))
	case strings.HasPrefix(key, "s"):
		sig.Session = sessionOf(sig.User, s.number(t, key[1:]))
	default:
		t.Fatalf("%s: what is %q?", s.line, word)
	}
}

func (s *script) checkStatus(t *testing.T, args []string) {
	t.Helper()
	for _, user := range s.users(t, args[0]) {
		state, _, err := s.h.Engine.Inspect(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		if state.Status.String() != args[1] {
			t.Fatalf("%s: user %d is %s", s.line, user, state.Status)
		}
		for _, word := range args[2:] {
			key, want, _ := strings.Cut(word, "=")
			got := ""
			switch key {
			case "seen":
				got, want = s.moment(state.LastSeen), s.momentWord(t, want)
			case "since":
				got, want = s.moment(state.Since), s.momentWord(t, want)
			case "cause":
				got = state.Cause.String()
			case "sessions":
				got = strconv.Itoa(len(state.Sessions))
			case "version":
				got = strconv.FormatUint(state.Version, 10)
			default:
				t.Fatalf("%s: what is %q?", s.line, word)
			}
			if got != want {
				t.Fatalf("%s: user %d: %s is %s", s.line, user, key, got)
			}
		}
	}
}

func (s *script) checkCounts(t *testing.T, args []string) {
	t.Helper()
	c, err := s.h.Engine.Counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("online=%d away=%d offline=%d", c.Online, c.Away, c.Offline); got != strings.Join(args, " ") {
		t.Fatalf("%s: got %s", s.line, got)
	}
}

func (s *script) checkLinks(t *testing.T, args []string) {
	t.Helper()
	counter, ok := s.h.Engine.(presence.LinkCounter)
	if !ok {
		t.Skip("this engine does not count devices and connections")
	}
	l, err := counter.Links(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("devices=%d connections=%d", l.Devices, l.Connections); !l.Known || got != strings.Join(args, " ") {
		t.Fatalf("%s: got %s, known %t", s.line, got, l.Known)
	}
}

func (s *script) checkChanges(t *testing.T, want []string) {
	t.Helper()
	var got []string
	if now, _, _ := s.h.Engine.Snapshot(t.Context()); now != s.cursor {
		changes, err := s.h.Engine.Changes(t.Context(), s.cursor, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range changes {
			got = append(got, fmt.Sprintf("u%d:%s>%s:%s", c.User, c.From, c.To, c.Cause))
		}
		s.cursor = now
	}
	if len(want) == 1 && want[0] == "none" {
		want = nil
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%s: got %v", s.line, got)
	}
}

func (s *script) policy(t *testing.T, p presence.Policy, args []string) presence.Policy {
	for _, word := range args {
		key, value, _ := strings.Cut(word, "=")
		switch d := s.duration(t, value); key {
		case "offline_after":
			p.OfflineAfter = d
		case "leave_grace":
			p.LeaveGrace = d
		case "heartbeat":
			p.HeartbeatInterval = d
		default:
			t.Fatalf("%s: what is %q?", s.line, word)
		}
	}
	return p
}

// users reads u7 or u1..u100.
func (s *script) users(t *testing.T, word string) []presence.UserID {
	t.Helper()
	first, last, many := strings.Cut(word, "..")
	if !many {
		last = first
	}
	from, to := s.number(t, strings.TrimPrefix(first, "u")), s.number(t, strings.TrimPrefix(last, "u"))
	var ids []presence.UserID
	for id := from; id <= to; id++ {
		ids = append(ids, presence.UserID(id))
	}
	return ids
}

func sessionOf(user presence.UserID, n int) presence.SessionID {
	return presence.SessionID(1000*int64(user) + int64(n))
}

func (s *script) moment(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.Sub(s.start).Round(time.Microsecond).String()
}

func (s *script) momentWord(t *testing.T, word string) string {
	if word == "never" {
		return word
	}
	return s.duration(t, word).String()
}

func (s *script) duration(t *testing.T, word string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(word)
	if err != nil {
		t.Fatalf("%s: %v", s.line, err)
	}
	return d
}

func (s *script) number(t *testing.T, word string) int {
	t.Helper()
	n, err := strconv.Atoi(word)
	if err != nil {
		t.Fatalf("%s: %v", s.line, err)
	}
	return n
}
