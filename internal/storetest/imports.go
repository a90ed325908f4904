package storetest

import (
	"testing"

	"github.com/offchat/presence"
)

// importScenarios are the contract of presence.ImportStore, for stores that are one.
func importScenarios() []scenario {
	return []scenario{
		{"an import's marks are kept with what its act did, and go with it", func(t *testing.T, h *Harness) {
			s, ok := h.Store.(presence.ImportStore)
			if !ok {
				t.Skip("this store is no presence.ImportStore")
			}
			same(t, "at first", get[map[string]int64](t)(s.ImportMarks(t.Context())), map[string]int64{})
			mark := func(name string, value int64) func(tx presence.Tx) error {
				return func(tx presence.Tx) error { return tx.(presence.ImportTx).SetImportMark(name, value) }
			}
			do(t, h.Store, mark("a", 1))
			do(t, h.Store, mark("b", -1<<62))
			do(t, h.Store, mark("a", 2))
			err := h.Store.Durable(t.Context(), func(tx presence.Tx) error {
				if err := mark("a", 3)(tx); err != nil {
					return err
				}
				return errOnPurpose
			})
			if err != errOnPurpose {
				t.Errorf("an act that is undone: %v", err)
			}
			s = h.Reopen().(presence.ImportStore)
			same(t, "at last", get[map[string]int64](t)(s.ImportMarks(t.Context())), map[string]int64{"a": 2, "b": -1 << 62})
		}},
	}
}
