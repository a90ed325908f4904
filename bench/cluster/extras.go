package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// extras are the processes that a trial needs besides the cluster: with Sentinel, the first is the master.
var extras []*exec.Cmd

func stopExtras() {
	for _, one := range extras {
		_ = one.Process.Kill() // it may have been killed already
		_ = one.Wait()
	}
	extras = nil
}

// sentinels starts a master, a replica and three sentinels.
func sentinels() (setting, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		if program, err = exec.LookPath("valkey-server"); err != nil {
			return nil, err
		}
	}
	dir, err := os.MkdirTemp("", "presence-bench-sentinel-")
	if err != nil {
		return nil, err
	}
	begin := func(args ...string) error {
		cmd := exec.Command(program, args...)
		cmd.Dir = dir
		extras = append(extras, cmd)
		return cmd.Start()
	}
	const master, replica, first = 18930, 18931, 18932
	server := []string{"--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0", "--port"}
	failed := begin(append(server, fmt.Sprint(master))...)
	failed = errors.Join(failed, begin(append(server, fmt.Sprint(replica), "--replicaof", "127.0.0.1", fmt.Sprint(master))...))
	failed = errors.Join(failed, answers(master), answers(replica))
	url := fmt.Sprintf("redis://127.0.0.1:%d?addr=127.0.0.1:%d&addr=127.0.0.1:%d&master_set=main", first, first+1, first+2)
	for port := first; port < first+3; port++ {
		config := filepath.Join(dir, fmt.Sprintf("sentinel-%d.conf", port))
		text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 %d 2\n"+
			"sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n", port, master)
		failed = errors.Join(failed, os.WriteFile(config, []byte(text), 0o600), begin(config, "--sentinel"), answers(port))
	}
	time.Sleep(12 * time.Second) // sentinels look for each other and for replicas every ten seconds
	more, err := short()
	return append(more, "CLUSTER_ENGINE="+url), errors.Join(failed, err)
}

// answers waits until somebody listens at a port.
func answers(port int) error {
	for until := time.Now().Add(30 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			return conn.Close()
		}
	}
	return fmt.Errorf("nobody listens at port %d", port)
}

// clocksApart builds the server with a time.Now that adds TRIAL_CLOCK seconds to the wall clock, and nothing to the
// monotonic one. It is the standard library's file with one line more, laid over it for this build alone: the product has
// no such switch, and Go reads the clock where no library can step in between (vDSO).
func clocksApart() (setting, error) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	source := filepath.Join(strings.TrimSpace(string(root)), "src", "time", "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		return nil, err
	}
	const before = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	if strings.Count(string(text), before) != 1 {
		return nil, errors.New("time.Now is not what this trial knows")
	}
	changed := strings.Replace(string(text), before, before+"\tsec += trialClock\n", 1) + trialClock
	dir, err := os.MkdirTemp("", "presence-bench-clock-")
	if err != nil {
		return nil, err
	}
	overlay, file, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "time.go"), filepath.Join(dir, "presence")
	err = errors.Join(os.WriteFile(file, []byte(strings.Replace(changed, "import (\n", "import (\n\t\"syscall\"\n", 1)), 0o600),
		os.WriteFile(overlay, fmt.Appendf(nil, `{"Replace":{%q:%q}}`, source, file), 0o600))
	if err != nil {
		return nil, err
	}
	out, err := exec.Command("go", "build", "-overlay", overlay, "-o", binary, "./cmd/presence").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("build with another clock: %w\n%s", err, out)
	}
	more, err := short()
	return append(more, "CLUSTER_BINARY="+binary, "CLUSTER_CLOCKS=0 30 -30"), err
}

const trialClock = `
var trialClock = func() (n int64) {
	text, _ := syscall.Getenv("TRIAL_CLOCK")
	digits := text
	if digits != "" && digits[0] == '-' {
		digits = digits[1:]
	}
	for _, d := range digits {
		n = 10*n + int64(d-'0')
	}
	if digits != text {
		n = -n
	}
	return n
}()
`
