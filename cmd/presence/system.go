package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/realtime"
	"github.com/offchat/presence/wire"
)

// facts gathers what the system page shows of this node.
type facts struct {
	app  *app
	feed *realtime.Feed

	mu     sync.Mutex // guards the following fields: the beats at the time before
	beats  float64
	at     time.Time
	perSec float64
}

const (
	// rateEvery is the least time over which a rate is measured.
	rateEvery = 5 * time.Second
	// lagLimit and feedLimit are the most that expiry and the feed may be late, seconds (docs/architecture.md: 0.15 and 0.05).
	lagWarn, lagLimit   = 0.5, 2
	feedWarn, feedLimit = 0.25, 1
	walWarn, walLimit   = 256e6, 1e9
	memoryWarn          = 4e9
)

// tell returns all facts that can be known here.
func (f *facts) tell(context.Context) []wire.Fact {
	stats := f.feed.Stats()
	behind, _ := f.feed.Waiting()
	list := []wire.Fact{
		f.fact("sockets", float64(stats.WebSockets+stats.Streams), "count", 0, 0, "%s connections of the feed are open."),
		f.fact("heartbeats", f.rate(), "per_second", 0, 0, "%s heartbeats a second."),
		f.fact("broadcast_lag", f.feed.Lag().Seconds(), "seconds", feedWarn, feedLimit, "99 of 100 changes were on their way within %s, in the last minute."),
		f.fact("readers_behind", float64(behind), "count", 1, 0, "%s connections read slower than things happen."),
		f.fact("store_backlog", gauge(f.app.metrics.Store.Backlog), "count", 10_000, 100_000, "%s changes of status are not written down yet."),
	}
	if f.app.late != nil {
		late, _ := f.app.late.Quantile(1, now().Add(-time.Minute))
		list = append(list, f.fact("expiry_lag", late.Seconds(), "seconds", lagWarn, lagLimit, "Silence was told %s late, at most, in the last minute."))
	}
	if rss, ok := residentMemory(); ok {
		list = append(list, f.fact("memory", rss, "bytes", memoryWarn, 0, "The process holds %s of memory."))
	}
	if open, limit, ok := openFiles(); ok {
		list = append(list, f.fact("open_files", open, "count", 0.8*limit, 0.95*limit, "%s files and connections are open, of "+group(limit)+" that may be."))
	}
	if f.app.cfg.Database == "" {
		base := dataDir(f.app.cfg.Data).database()
		list = append(list, f.size("database_size", base, 0, 0, "The database has %s."), f.size("wal_size", base+"-wal", walWarn, walLimit, "The database's log has %s."))
		list = append(list, f.backupAge())
	}
	return list
}

func (f *facts) fact(key string, value float64, unit string, warn, limit float64, text string) wire.Fact {
	fact := wire.Fact{Key: key, Value: &value, Unit: unit, State: "ok", Text: fmt.Sprintf(text, inWords(value, unit))}
	if warn > 0 {
		if fact.Warn = &warn; value >= warn {
			fact.State = "warn"
		}
	}
	if limit > 0 {
		if fact.Limit = &limit; value >= limit {
			fact.State = "fail"
		}
	}
	return fact
}

func (f *facts) size(key, path string, warn, limit float64, text string) wire.Fact {
	size := 0.0
	if info, err := os.Stat(path); err == nil {
		size = float64(info.Size())
	}
	return f.fact(key, size, "bytes", warn, limit, text)
}

// backupAge is how old the newest backup is that this server knows of.
func (f *facts) backupAge() wire.Fact {
	every := f.app.cfg.BackupEvery.Seconds()
	newest, ok := backup.Newest(backupDir(f.app.cfg))
	switch {
	case ok:
		age := max(0, now().Sub(newest.MadeAt).Seconds())
		return f.fact("backup_age", age, "seconds", 1.5*every, 3*every, "The newest backup is %s old.")
	case every == 0:
		return wire.Fact{Key: "backup_age", Unit: "seconds", State: "warn", Text: "This server makes no backups (backup_every is 0), and knows of none."}
	default:
		return wire.Fact{Key: "backup_age", Unit: "seconds", State: "warn", Text: "There is no backup yet."}
	}
}

// rate is how many heartbeats were recorded a second, over the last few seconds or since it was asked last.
func (f *facts) rate() float64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	at, beats := now(), counter(f.app.metrics.Heartbeats.Recorded)
	if past := at.Sub(f.at); past >= rateEvery {
		if !f.at.IsZero() {
			f.perSec = (beats - f.beats) / past.Seconds()
		}
		f.at, f.beats = at, beats
	}
	return f.perSec
}

func counter(c prometheus.Counter) float64 {
	var m dto.Metric
	if c.Write(&m) != nil {
		return 0
	}
	return m.GetCounter().GetValue()
}

func gauge(g prometheus.Gauge) float64 {
	var m dto.Metric
	if g.Write(&m) != nil {
		return 0
	}
	return m.GetGauge().GetValue()
}

func inWords(value float64, unit string) string {
	switch unit {
	case "bytes":
		if value < 1e6 {
			return fmt.Sprintf("%.0f kB", value/1e3)
		}
		return fmt.Sprintf("%.1f MB", value/1e6)
	case "seconds":
		if value < 10 {
			return fmt.Sprintf("%.0f ms", value*1000)
		}
		return time.Duration(value * float64(time.Second)).Round(time.Second).String()
	case "per_second":
		return strconv.FormatFloat(value, 'f', 1, 64)
	default:
		return group(value)
	}
}

// group writes a whole number with commas.
func group(value float64) string {
	text := strconv.FormatFloat(value, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// residentMemory reads how much memory the process holds, where the system tells.
func residentMemory() (float64, bool) {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, false
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, false
	}
	pages, err := strconv.ParseFloat(string(fields[1]), 64)
	return pages * float64(os.Getpagesize()), err == nil
}

// openFiles counts what the process has open, where the system tells, and how many it may.
func openFiles() (open, limit float64, ok bool) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0, 0, false
	}
	var most syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &most); err != nil {
		return 0, 0, false
	}
	return float64(len(entries)), float64(most.Cur), true
}
