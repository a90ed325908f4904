package httpd

import (
	"crypto/rand"
	"strconv"
	"strings"
	"sync/atomic"
)

// requestIDs are made from a prefix drawn at start-up and a counter: unique, cheap, and of no use to anybody
// who guesses one.
type requestIDs struct {
	prefix string // static after init
	count  atomic.Uint64
}

func (ids *requestIDs) init() { ids.prefix = strings.ToLower(rand.Text()[:10]) + "-" }

func (ids *requestIDs) next() string {
	var buf [32]byte
	out := append(buf[:0], ids.prefix...)
	return string(strconv.AppendUint(out, ids.count.Add(1), 36))
}

// validID accepts ids that can stand in a log line and a header without quoting.
func validID(id string) bool {
	if id == "" || len(id) > 128 {
		return false
	}
	for i := range len(id) {
		if c := id[i]; !alphanumeric(c) && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
