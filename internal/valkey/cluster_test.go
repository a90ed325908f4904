package valkey

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/enginetest"
)

// newCluster is a cluster of one server that holds every slot: it refuses any script that touches two.
func newCluster(t *testing.T) *server {
	t.Helper()
	s, port := tcpServer(t, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(freePort(t)),
		"--cluster-config-file", filepath.Join(t.TempDir(), "nodes.conf"), "--cluster-announce-ip", "127.0.0.1")
	admin, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{fmt.Sprintf("127.0.0.1:%d", port)}, DisableCache: true, ForceSingleClient: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if err := admin.Do(t.Context(), admin.B().ClusterAddslotsrange().StartSlotEndSlot().StartSlotEndSlot(0, 16383).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for { // until the cluster has noticed that it is whole
		state, err := admin.Do(t.Context(), admin.B().Get().Key("x").Build()).ToString()
		if rueidis.IsRedisNil(err) {
			return s
		}
		if t.Context().Err() != nil {
			t.Fatal(state, err)
		}
	}
}

func TestContractOfTwoNodesOnACluster(t *testing.T) {
	s := newCluster(t)
	w := newWorld(t, s.URL, enginetest.DefaultPolicy)
	if e := w.node(0); len(e.streams) != len(e.shards) {
		t.Fatalf("%d logs for %d shards: the cluster was not recognised", len(e.streams), len(e.shards))
	}
	enginetest.Run(t, twoNodes(s.URL, 2))
}

// On a cluster each node merges the shards' logs by itself: every change once, each user's in order.
func TestEveryChangeOnceOnACluster(t *testing.T) {
	w := newWorld(t, newCluster(t).URL, enginetest.DefaultPolicy)
	a, b := w.node(0), w.node(0)
	for _, id := range users(1, 50) {
		w.signal(w.homeOf(id), id, presence.Login)
		w.signal(w.homeOf(id+1), id, presence.Idle)
	}
	w.pass(2 * 60e9)
	for _, e := range []*Engine{a, b} {
		versions := map[presence.UserID]uint64{}
		changes := w.told(e)
		for _, c := range changes {
			if versions[c.User]++; versions[c.User] != c.Version {
				t.Errorf("%s: %+v is not the next of its user", e.node, c)
			}
		}
		if len(changes) != 150 {
			t.Errorf("%s told %d changes, want 150", e.node, len(changes))
		}
	}
}
