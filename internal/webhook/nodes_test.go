package webhook

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/postgres"
	"github.com/offchat/presence/internal/testserver"
	"github.com/offchat/presence/wire"
)

func TestMain(m *testing.M) { os.Exit(testserver.Main(m)) }

// Three nodes share a database, all record every change, and all could send: the receiver is told everything once and
// in order.
func TestSeveralNodesTellEverythingOnceAndInOrder(t *testing.T) {
	url := testserver.SharedPostgres(t).Database(t, "")
	r := newReceiver(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	var nodes []*Service
	ended := make(chan error, 3)
	for _, name := range []string{"a", "b", "c"} {
		store, err := postgres.Open(t.Context(), url, postgres.Options{Patience: patience})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		node := New(Config{Store: store, AllowNetworks: loopback, Node: name})
		nodes = append(nodes, node)
		go func() { ended <- node.Run(ctx) }()
	}
	defer func() {
		cancel()
		for range nodes {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	}()
	ann := presence.Account{Username: "ann", Email: "ann@example.org", Active: true, CreatedAt: time.Now()}
	if err := nodes[0].Store.Durable(t.Context(), func(tx presence.Tx) error { return tx.InsertAccount(&ann) }); err != nil {
		t.Fatal(err)
	}
	if _, err := nodes[0].Create(t.Context(), Actor{}, wire.NewWebhook{URL: r.URL, BatchSize: 3}); err != nil {
		t.Fatal(err)
	}
	const n = 60
	for i := range n {
		from, to := presence.Offline, presence.Online
		if i%2 == 1 {
			from, to = to, from
		}
		at := time.Now()
		recorded := make(chan error, len(nodes))
		for _, node := range nodes {
			go func() {
				recorded <- node.Store.(presence.PresenceStore).RecordChanges(t.Context(), []presence.Change{{
					User: ann.ID, From: from, To: to, Cause: presence.CauseHeartbeat, At: at, Version: uint64(i + 1),
				}})
				node.Recorded()
			}()
		}
		for range nodes {
			if err := <-recorded; err != nil {
				t.Fatal(err)
			}
		}
	}
	var versions []uint64
	for len(versions) < n {
		for _, e := range r.next(t).Data.Events {
			versions = append(versions, e.Version)
		}
	}
	if len(versions) != n || !slices.IsSorted(versions) || versions[n-1] != n {
		t.Errorf("%d events came as %v", len(versions), versions)
	}
	waitFor(t, func() bool {
		q, err := nodes[1].Store.WebhookQueues(t.Context())
		return err == nil && len(q) == 0
	})
	if len(r.got) != 0 {
		t.Errorf("%d deliveries more", len(r.got))
	}
}
