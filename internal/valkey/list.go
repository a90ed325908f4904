package valkey

import (
	"cmp"
	"context"
	"slices"

	"github.com/offchat/presence"
)

// place is what a page of a list is sorted by.
type place struct {
	seen int64
	user presence.UserID
}

// Page implements presence.Engine. It reads all users once, keeps those that match and puts only the wanted
// stretch in order.
func (e *Engine) Page(ctx context.Context, q presence.Query) ([]presence.Presence, int, error) {
	var found []place
	for _, sh := range e.shards {
		found = sh.appendMatches(found, &q)
	}
	total := len(found)
	from, to := min(max(q.Offset, 0), total), total
	if q.Limit > 0 {
		to = min(from+q.Limit, total)
	}
	order := func(a, b place) int { return cmp.Or(cmp.Compare(b.seen, a.seen), cmp.Compare(b.user, a.user)) }
	if q.Order == presence.OldestSeen {
		order = func(a, b place) int { return cmp.Or(cmp.Compare(a.seen, b.seen), cmp.Compare(a.user, b.user)) }
	}
	divide(found, from, order)
	divide(found[from:], to-from, order)
	wanted := found[from:to]
	slices.SortFunc(wanted, order)
	ids := make([]presence.UserID, len(wanted))
	for i := range wanted {
		ids[i] = wanted[i].user
	}
	users, err := e.State(ctx, ids)
	return users, total, err
}

func (sh *shard) appendMatches(to []place, q *presence.Query) []place {
	var wanted [3]bool
	wanted[presence.Online], wanted[presence.Away], wanted[presence.Offline] = q.Online, q.Away, q.Offline
	everybody := !q.Online && !q.Away && !q.Offline
	sh.mu.Lock()
	defer sh.mu.Unlock()
	sh.eachLocked(func(id presence.UserID, u *user) {
		if u.known && (everybody || wanted[u.shown()]) && (q.Only == nil || q.Only(id)) {
			to = append(to, place{u.seen, id})
		}
	})
	return to
}

// divide arranges all so that the first k are those that sort before the rest (quickselect; no two are equal).
func divide(all []place, k int, order func(a, b place) int) {
	for len(all) > 32 && k > 0 && k < len(all) {
		pivot := medianOf(all[0], all[len(all)/2], all[len(all)-1], order)
		i, j := 0, len(all)-1
		for i <= j {
			for order(all[i], pivot) < 0 {
				i++
			}
			for order(all[j], pivot) > 0 {
				j--
			}
			if i <= j {
				all[i], all[j] = all[j], all[i]
				i, j = i+1, j-1
			}
		}
		switch {
		case k <= j+1:
			all = all[:j+1]
		case k >= i:
			all, k = all[i:], k-i
		default:
			return
		}
	}
	if k > 0 && k < len(all) {
		slices.SortFunc(all, order)
	}
}

func medianOf(a, b, c place, order func(a, b place) int) place {
	switch {
	case (order(a, b) < 0) == (order(b, c) < 0):
		return b
	case (order(b, a) < 0) == (order(a, c) < 0):
		return a
	default:
		return c
	}
}
