package memory

import (
	"context"
	"slices"
	"sync"

	"github.com/offchat/presence"
)

// entry is what a page of a list is sorted by: 16 bytes, so that sorting a million stays in the cache's
// good graces.
type entry struct {
	seen int64
	user presence.UserID
}

// entries are kept between lists: a million of them are 16 MB.
var entries = sync.Pool{New: func() any { return new([]entry) }}

// Page implements presence.Engine. It reads all users once, keeps those that match and puts only the wanted
// stretch in order.
func (e *Engine) Page(ctx context.Context, q presence.Query) ([]presence.Presence, int, error) {
	pooled := entries.Get().(*[]entry)
	defer func() { *pooled = (*pooled)[:0]; entries.Put(pooled) }()
	found := (*pooled)[:0]
	for _, p := range e.pages.Load().inOrder {
		found = p.appendMatches(found, &q)
	}
	*pooled = found
	total := len(found)

	from := min(max(q.Offset, 0), total)
	to := total
	if q.Limit > 0 {
		to = min(from+q.Limit, total)
	}
	order := newestFirst
	if q.Order == presence.OldestSeen {
		order = oldestFirst
	}
	wanted := stretch(found, from, to, order)
	ids := make([]presence.UserID, len(wanted))
	for i := range wanted {
		ids[i] = wanted[i].user
	}
	views, err := e.State(ctx, ids)
	return views, total, err
}

func (p *page) appendMatches(to []entry, q *presence.Query) []entry {
	var wanted [3]bool
	wanted[presence.Online], wanted[presence.Away], wanted[presence.Offline] = q.Online, q.Away, q.Offline
	everybody := !q.Online && !q.Away && !q.Offline
	p.mu.Lock()
	defer p.mu.Unlock()
	for slot := range p.users {
		u := &p.users[slot]
		if !u.known || !everybody && !wanted[u.status] {
			continue
		}
		id := p.userID(slot)
		if q.Only == nil || q.Only(id) {
			to = append(to, entry{u.seen, id})
		}
	}
	return to
}

func newestFirst(a, b entry) int { return oldestFirst(b, a) }

func oldestFirst(a, b entry) int {
	switch {
	case a.seen < b.seen:
		return -1
	case a.seen > b.seen:
		return 1
	default:
		return int(min(max(int64(a.user)-int64(b.user), -1), 1))
	}
}

// stretch returns all[from:to] as it would be if all were sorted, and sorts no more than that.
func stretch(all []entry, from, to int, order func(a, b entry) int) []entry {
	divide(all, from, order)
	rest := all[from:]
	divide(rest, to-from, order)
	rest = rest[:to-from]
	slices.SortFunc(rest, order)
	return rest
}

// divide arranges all so that everything before k sorts before everything from k on (quickselect).
func divide(all []entry, k int, order func(a, b entry) int) {
	for len(all) > 64 && k > 0 && k < len(all) {
		small, large := partition(all, order)
		switch {
		case k <= small:
			all = all[:small]
		case k >= large:
			all, k = all[large:], k-large
		default:
			return // k falls among those equal to the pivot
		}
	}
	if k > 0 && k < len(all) {
		slices.SortFunc(all, order)
	}
}

// partition arranges part so that everything before small sorts before the pivot and everything from large
// on after it.
func partition(part []entry, order func(a, b entry) int) (small, large int) {
	a, b, c := part[0], part[len(part)/2], part[len(part)-1]
	pivot := b // the median of three, so that sorted input is no worst case
	switch {
	case (order(a, b) < 0) == (order(b, c) < 0):
	case (order(b, a) < 0) == (order(a, c) < 0):
		pivot = a
	default:
		pivot = c
	}
	small, large = 0, len(part)
	for i := 0; i < large; {
		switch by := order(part[i], pivot); {
		case by < 0:
			part[small], part[i] = part[i], part[small]
			small++
			i++
		case by > 0:
			large--
			part[large], part[i] = part[i], part[large]
		default:
			i++
		}
	}
	return small, large
}
