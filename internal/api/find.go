package api

import (
	"cmp"
	"context"
	"slices"

	"github.com/offchat/presence"
)

// A list of users is put together from two places that know nothing of each other: the store has the accounts,
// the engine has presence. Orders by account walk the store's index and ask the engine about those they meet;
// orders by presence look once at everybody the engine knows.

// Handfuls of accounts that are looked at in turn when most may not match: growing, because whoever is rare is
// best looked for in one go.
var handfuls = []int{2048, 16_384, 0}

// find returns those of a page, and one more if there is one.
func (h *Handler) find(ctx context.Context, q *userQuery) ([]presence.Presence, error) {
	switch {
	case q.sort.byPresence():
		return h.findByPresence(ctx, q)
	case q.empty():
		ids, err := h.Store.AccountsAfter(ctx, q.accounts, q.sort.account, q.after.account(), q.limit+1)
		if err != nil {
			return nil, err
		}
		return h.Presence.State(ctx, ids)
	default:
		return h.findByAccount(ctx, q)
	}
}

// findByAccount walks the store's order past those that do not match.
func (h *Handler) findByAccount(ctx context.Context, q *userQuery) ([]presence.Presence, error) {
	var found []presence.Presence
	after := q.after.account()
	sizes := handfuls
	if q.accounts.Search != "" {
		sizes = sizes[len(sizes)-1:] // looking for a text costs the same for one as for all
	}
	for _, size := range sizes {
		ids, err := h.Store.AccountsAfter(ctx, q.accounts, q.sort.account, after, size)
		if err != nil || len(ids) == 0 {
			return found, err
		}
		for some := range slices.Chunk(ids, handfuls[0]) {
			if found, err = h.keep(ctx, q, found, some); err != nil || len(found) > q.limit {
				return found, err
			}
		}
		if size == 0 || len(ids) < size {
			return found, nil
		}
		last, err := h.Store.AccountsByID(ctx, ids[len(ids)-1:])
		if err != nil {
			return nil, err
		}
		if len(last) == 0 { // deleted meanwhile: go on from the same place with more
			found = nil
			continue
		}
		after = &last[0]
	}
	return found, nil
}

// keep adds those of the ids that match, until there are enough.
func (h *Handler) keep(ctx context.Context, q *userQuery, found []presence.Presence, ids []presence.UserID) ([]presence.Presence, error) {
	states, err := h.Presence.State(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i := range states {
		ok, err := h.matches(ctx, q, &states[i])
		if err != nil {
			return nil, err
		}
		if ok {
			if found = append(found, states[i]); len(found) > q.limit {
				break
			}
		}
	}
	return found, nil
}

func (h *Handler) matches(ctx context.Context, q *userQuery, p *presence.Presence) (bool, error) {
	if !q.lets(p) {
		return false, nil
	}
	if q.presenceFilter.devices == 0 {
		return true, nil
	}
	n, err := h.devices(ctx, p.User)
	return n >= q.presenceFilter.devices, err
}

// findByPresence keeps the best of everybody who matches and comes after the cursor.
func (h *Handler) findByPresence(ctx context.Context, q *userQuery) ([]presence.Presence, error) {
	order := func(a, b presence.Presence) int {
		by := cmp.Or(cmp.Compare(q.sort.key(&a), q.sort.key(&b)), cmp.Compare(a.User, b.User))
		if q.sort.down {
			return -by
		}
		return by
	}
	comesAfter := func(p *presence.Presence) bool {
		if q.after == nil {
			return true
		}
		by := cmp.Or(cmp.Compare(q.sort.key(p), q.after.Number), cmp.Compare(int64(p.User), q.after.ID))
		return by > 0 != q.sort.down && by != 0
	}
	want := q.limit + 1
	best := make([]presence.Presence, 0, 2*want)
	err := h.eachMatch(ctx, q, func(p presence.Presence) bool {
		if !comesAfter(&p) {
			return true
		}
		if best = append(best, p); len(best) == 2*want {
			slices.SortFunc(best, order)
			best = best[:want]
		}
		return true
	})
	slices.SortFunc(best, order)
	return best[:min(want, len(best))], err
}

// eachMatch calls f for everybody who matches, in the engine's order, until f returns false.
func (h *Handler) eachMatch(ctx context.Context, q *userQuery, f func(presence.Presence) bool) error {
	among := map[presence.UserID]struct{}(nil)
	if !q.accounts.Empty() {
		ids, err := h.Store.AccountIDs(ctx, q.accounts, presence.IDUp)
		if err != nil {
			return err
		}
		among = make(map[presence.UserID]struct{}, len(ids))
		for _, id := range ids {
			among[id] = struct{}{}
		}
	}
	_, everybody, err := h.Presence.Snapshot(ctx)
	if err != nil {
		return err
	}
	for p := range everybody {
		if among != nil {
			if _, in := among[p.User]; !in {
				continue
			}
		}
		ok, err := h.matches(ctx, q, &p)
		if err != nil {
			return err
		}
		if ok && !f(p) {
			break
		}
	}
	return ctx.Err()
}
