package main

import (
	"context"
	"fmt"
	"time"

	"github.com/offchat/presence/internal/backup"
	"github.com/offchat/presence/internal/httpd"
	"github.com/offchat/presence/internal/metrics"
	"github.com/offchat/presence/internal/sqlite"
)

// diskStore is a store on this machine's disk, which may be full.
type diskStore interface {
	Full() (since time.Time, full bool)
	Probe(ctx context.Context) error
}

// probeEvery is how often a full disk is tried again.
const probeEvery = 2 * time.Second

// diskCheck is for /readyz. A full disk is no reason to send requests elsewhere: beats, lists and the feed go on.
func diskCheck(s diskStore) httpd.Check {
	return httpd.Check{Name: "disk", Run: func(context.Context) error {
		since, full := s.Full()
		if !full {
			return nil
		}
		return httpd.Degraded(fmt.Errorf("full since %s: presence goes on in memory, nothing can be saved", since.UTC().Format(time.RFC3339)))
	}}
}

// probeDisk tries a full disk again until ctx ends, so that saving goes on by itself.
func probeDisk(ctx context.Context, s diskStore) error {
	ticker := time.NewTicker(probeEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		if _, full := s.Full(); full {
			_ = s.Probe(ctx) // the store notes and logs what came of it
		}
	}
}

// watchDisk tells Prometheus about the disk that a data directory lies on.
func watchDisk(m *metrics.Metrics, store *sqlite.Store, data string, schedule *backup.Schedule) {
	m.WatchDisk(metrics.Disk{
		Full:    func() bool { _, full := store.Full(); return full },
		Refused: func() uint64 { return store.Stats().Refused },
		Free: func() float64 {
			free, _, err := space(data)
			if err != nil {
				return -1
			}
			return float64(free)
		},
		LastBackup: schedule.Last, BackupFailures: schedule.Failures,
	})
}
