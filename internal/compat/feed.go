package compat

import "sync"

const (
	// maxFeedFrames and maxFeedBytes bound what is kept for sockets that are a little behind. All sockets share
	// it, so a slow one costs nothing of its own.
	maxFeedFrames = 1 << 16
	maxFeedBytes  = 16 << 20
	// maxWrite is about how much one write takes from the feed.
	maxWrite = 64 << 10
)

// batch is some frames, encoded once for everybody. It never changes.
type batch struct {
	bytes []byte
	count int
}

// feed is the last frames that were sent to everybody. Sockets read it at their own pace, each from its own
// place; one that falls out of its end is too slow.
type feed struct {
	mu      sync.Mutex // guards the following fields
	batches []batch
	first   uint64 // number of batches[0]
	frames  int
	bytes   int
}

// add puts frames at the end and lets the oldest go.
func (f *feed) add(b batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batches = append(f.batches, b)
	f.frames, f.bytes = f.frames+b.count, f.bytes+len(b.bytes)
	drop := 0
	for ; len(f.batches)-drop > 1 && (f.frames > maxFeedFrames || f.bytes > maxFeedBytes); drop++ {
		f.frames, f.bytes = f.frames-f.batches[drop].count, f.bytes-len(f.batches[drop].bytes)
		f.batches[drop] = batch{}
	}
	f.batches, f.first = f.batches[drop:], f.first+uint64(drop)
}

// end is the place after everything.
func (f *feed) end() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.first + uint64(len(f.batches))
}

// after appends what comes at place from, about maxWrite of it, and returns the place after that. It reports
// false when that place is gone.
func (f *feed) after(from uint64, into [][]byte) (out [][]byte, next uint64, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if from < f.first {
		return into, from, false
	}
	size := 0
	for _, b := range f.batches[from-f.first:] {
		if size >= maxWrite {
			break
		}
		into, size, from = append(into, b.bytes), size+len(b.bytes), from+1
	}
	return into, from, true
}
