package loadgen

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process used of the machine.
type Usage struct {
	RSS int64         // bytes in memory
	CPU time.Duration // since it started; 0 where it is not known
}

// clockTicks is USER_HZ, in which Linux counts CPU time for programs. It is 100 on every architecture Go runs on.
const clockTicks = 100

// ProcessUsage reads /proc; it works on Linux, for processes this one may see.
func ProcessUsage(pid int) (Usage, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Usage{}, err
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	rss, err := rssOf(status)
	if err != nil {
		return Usage{}, err
	}
	cpu, err := cpuOf(stat)
	return Usage{rss, cpu}, err
}

func rssOf(status []byte) (int64, error) {
	for line := range bytes.Lines(status) {
		if rest, found := strings.CutPrefix(string(line), "VmRSS:"); found {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("the process has no memory: it is over")
}

// cpuOf adds utime and stime: the 14th and 15th field, counted from behind the name, which may hold anything.
func cpuOf(stat []byte) (time.Duration, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, errors.New("unknown form of /proc/PID/stat")
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * (time.Second / clockTicks), errors.Join(err, err2)
}

// opsUsage reads a server's own metrics, at its operators' address.
func opsUsage(ctx context.Context, ops string) (Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(ops, "/")+"/metrics", nil)
	if err != nil {
		return Usage{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return Usage{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err != nil {
		return Usage{}, err
	}
	rss, err := metric(text, "process_resident_memory_bytes ")
	if err != nil {
		return Usage{}, err
	}
	cpu, err := metric(text, "process_cpu_seconds_total ")
	return Usage{int64(rss), time.Duration(cpu * float64(time.Second))}, err
}

func metric(text []byte, name string) (float64, error) {
	for line := range bytes.Lines(text) {
		if rest, found := strings.CutPrefix(string(line), name); found {
			return strconv.ParseFloat(strings.TrimSpace(rest), 64)
		}
	}
	return 0, fmt.Errorf("the metrics there have no %s", strings.TrimSpace(name))
}
