package memory

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/offchat/presence"
)

// A stretch of a list is what sorting the whole list would have put there.
func TestStretchEqualsSorting(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		n := random.IntN(600)
		all := make([]entry, n)
		for i := range all {
			all[i] = entry{seen: random.Int64N(1 + int64(round%50)), user: presence.UserID(i)}
		}
		random.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
		order := newestFirst
		if round%2 == 0 {
			order = oldestFirst
		}
		sorted := slices.Clone(all)
		slices.SortFunc(sorted, order)
		from := random.IntN(n + 1)
		to := from + random.IntN(n-from+1)
		if got := stretch(all, from, to, order); !slices.Equal(got, sorted[from:to]) {
			t.Fatalf("round %d: stretch [%d:%d] of %d entries differs from sorting", round, from, to, n)
		}
	}
}
