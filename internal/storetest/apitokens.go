package storetest

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/offchat/presence"
)

// apiTokenScenarios are the contract of presence.APITokenStore, for stores that are one.
func apiTokenScenarios() []scenario {
	list := []scenario{
		{"a token of a backend comes back as it was, after a restart too, with an id that is never used again", func(t *testing.T, h *Harness) {
			first, second := apiToken("first"), apiToken("second")
			insertTokens(t, h, &first, &second)
			if first.ID <= 0 || second.ID <= first.ID {
				t.Fatalf("ids %d and %d", first.ID, second.ID)
			}
			h.Store = h.Reopen()
			same(t, "tokens", allTokens(t, h), []presence.APIToken{first, second})
			do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.APITokenTx).ForgetAPITokens(after(100 * time.Hour)) })
			third := apiToken("third")
			insertTokens(t, h, &third)
			if third.ID <= second.ID {
				t.Errorf("id %d after %d", third.ID, second.ID)
			}
		}},
		{"revoking a token counts once, and one that is not there is not found", func(t *testing.T, h *Harness) {
			one := apiToken("one")
			insertTokens(t, h, &one)
			do(t, h.Store, func(tx presence.Tx) error {
				return tx.(presence.APITokenTx).RevokeAPIToken(one.ID, 7, after(time.Minute))
			})
			do(t, h.Store, func(tx presence.Tx) error {
				return tx.(presence.APITokenTx).RevokeAPIToken(one.ID, 8, after(time.Hour))
			})
			one.RevokedAt, one.RevokedBy = after(time.Minute), 7
			do(t, h.Store, func(tx presence.Tx) error {
				found, err := tx.(presence.APITokenTx).APIToken(one.ID)
				same(t, "in the act", found, one)
				return err
			})
			same(t, "tokens", allTokens(t, h), []presence.APIToken{one})
			do(t, h.Store, func(tx presence.Tx) error {
				refused(t, "revoke", tx.(presence.APITokenTx).RevokeAPIToken(4711, 7, noon), presence.NotFound, "")
				return nil
			})
		}},
		{"good tokens are those that are neither revoked nor expired, and the others can be forgotten", func(t *testing.T, h *Harness) {
			good, expired, revoked := apiToken("good"), apiToken("expired"), apiToken("revoked")
			good.ExpiresAt = time.Time{}
			expired.ExpiresAt = after(time.Minute)
			insertTokens(t, h, &good, &expired, &revoked)
			do(t, h.Store, func(tx presence.Tx) error {
				return tx.(presence.APITokenTx).RevokeAPIToken(revoked.ID, 7, after(time.Minute))
			})
			count := func(at time.Time) (n int) {
				do(t, h.Store, func(tx presence.Tx) (err error) {
					n, err = tx.(presence.APITokenTx).GoodAPITokens(at)
					return err
				})
				return n
			}
			same(t, "good before the expiry", count(noon), 2)
			same(t, "good at the expiry", count(after(time.Minute)), 1)
			do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.APITokenTx).ForgetAPITokens(after(time.Minute)) })
			same(t, "kept to the moment", len(allTokens(t, h)), 3)
			do(t, h.Store, func(tx presence.Tx) error { return tx.(presence.APITokenTx).ForgetAPITokens(after(2 * time.Minute)) })
			same(t, "kept", allTokens(t, h), []presence.APIToken{good})
		}},
		{"the last use of a token only moves forward, and tokens that are gone are left out", func(t *testing.T, h *Harness) {
			one := apiToken("one")
			insertTokens(t, h, &one)
			for _, minutes := range []time.Duration{2, 5, 3} {
				err := h.Store.(presence.APITokenStore).RecordAPITokenUse(t.Context(), []presence.APITokenUse{
					{ID: 4711, At: noon}, {ID: one.ID, At: after(minutes * time.Minute)},
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			one.LastUsedAt = after(5 * time.Minute)
			same(t, "tokens", allTokens(t, h), []presence.APIToken{one})
		}},
	}
	list = append(list, scenario{"an account is found by its exact e-mail address, and not in the trash", func(t *testing.T, h *Harness) {
		store, ok := h.Store.(presence.EmailReader)
		if !ok {
			t.Skip("this store is no presence.EmailReader")
		}
		ada := plain("ada")
		insert(t, h.Store, &ada)
		same(t, "found", get[presence.Account](t)(store.AccountByEmail(t.Context(), "ada@example.org")).ID, ada.ID)
		for _, other := range []string{"ADA@example.org", "ada@example.or", "", "\x00"} {
			_, err := store.AccountByEmail(t.Context(), other)
			refused(t, other, err, presence.NotFound, "")
		}
		trash(t, h.Store, ada)
		_, err := store.AccountByEmail(t.Context(), "ada@example.org")
		refused(t, "in the trash", err, presence.NotFound, "")
	}})
	for i := range list {
		prove := list[i].prove
		list[i].prove = func(t *testing.T, h *Harness) {
			if _, ok := h.Store.(presence.APITokenStore); !ok {
				t.Skip("this store is no presence.APITokenStore")
			}
			prove(t, h)
		}
	}
	return list
}

func apiToken(name string) presence.APIToken {
	return presence.APIToken{
		Name: name, Scopes: presence.ScopeTouch | presence.ScopeAdminRead, Hash: sha256.Sum256([]byte(name)), Hint: "opt_" + name,
		CreatedBy: 3, CreatedAt: noon, ExpiresAt: after(24 * time.Hour),
	}
}

func insertTokens(t *testing.T, h *Harness, tokens ...*presence.APIToken) {
	t.Helper()
	do(t, h.Store, func(tx presence.Tx) error {
		for _, one := range tokens {
			if err := tx.(presence.APITokenTx).InsertAPIToken(one); err != nil {
				return err
			}
		}
		return nil
	})
}

func allTokens(t *testing.T, h *Harness) []presence.APIToken {
	t.Helper()
	return get[[]presence.APIToken](t)(h.Store.(presence.APITokenStore).APITokens(t.Context()))
}
