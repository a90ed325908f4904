package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	if os.Getenv(asPresence) != "" { // one of several nodes, see house_test.go
		os.Unsetenv(asPresence)
		main()
	}
	testscript.Main(m, map[string]func(){"presence": main})
}

// TestCommandLine runs the scripts in testdata. Besides the usual commands they have
//
//	serve [flags]             run a server in this process, with data in $WORK/data, until stop; sets $URL and $ADDRESS
//	stop                      interrupt it and wait for its end; its standard error is in serve.log
//	http METHOD PATH [BODY]   ask it; standard output is the status, then the body
//	code N command...         run a command that must end with exit code N
func TestCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GORACE", "atexit_sleep_ms=0") // else every command takes a second to end under -race
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": scriptServe, "stop": scriptStop, "http": scriptHTTP, "code": scriptCode,
		},
	})
}

// scriptServer is the server that a script runs.
type scriptServer struct {
	stop  context.CancelFunc
	ended chan int
	log   *os.File
}

var scriptServers sync.Map // *testscript.TestScript -> *scriptServer; scripts run in parallel

func scriptServe(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("use: exec presence serve")
	}
	log, err := os.Create(ts.MkAbs("serve.log"))
	ts.Check(err)
	ctx, stop := context.WithCancel(context.Background())
	s := &scriptServer{stop: stop, ended: make(chan int, 1), log: log}
	opened := make(chan addresses, 1)
	environ := []string{"HOME=" + ts.Getenv("HOME")}
	for _, name := range []string{"PRESENCE_OFFLINE_AFTER", "PRESENCE_HEARTBEAT_INTERVAL", "PRESENCE_CONFIG"} {
		environ = append(environ, name+"="+ts.Getenv(name))
	}
	p := &process{
		ctx: ctx, stdin: strings.NewReader(""), stdout: log, stderr: log, environ: environ,
		opened: func(at addresses) { opened <- at },
	}
	args = append([]string{"serve", "--data", ts.MkAbs("data"), "--listen", "127.0.0.1:0"}, args...)
	go func() { s.ended <- run(args, p) }()
	select {
	case code := <-s.ended:
		ts.Fatalf("serve ended at once with %d:\n%s", code, ts.ReadFile("serve.log"))
	case at := <-opened:
		ts.Setenv("ADDRESS", at.public.String())
		ts.Setenv("URL", "http://"+at.public.String())
	}
	scriptServers.Store(ts, s)
	ts.Defer(func() {
		if _, running := scriptServers.Load(ts); running {
			scriptStop(ts, false, nil)
		}
	})
}

func scriptStop(ts *testscript.TestScript, _ bool, _ []string) {
	running, _ := scriptServers.LoadAndDelete(ts)
	s := running.(*scriptServer)
	s.stop()
	code := <-s.ended
	s.log.Close()
	if code != exitOK {
		ts.Fatalf("serve ended with %d:\n%s", code, ts.ReadFile("serve.log"))
	}
}

func scriptHTTP(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: http METHOD PATH [BODY]")
	}
	body, kind := "", "application/json"
	if len(args) > 2 {
		if body = args[2]; !strings.HasPrefix(body, "{") {
			kind = "application/x-www-form-urlencoded"
		}
	}
	req, err := http.NewRequest(args[0], ts.Getenv("URL")+args[1], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", kind)
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	fmt.Fprintln(ts.Stdout(), resp.StatusCode)
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
}

func scriptCode(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s ended with %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}
