package valkey

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/offchat/presence"
	"github.com/offchat/presence/internal/enginetest"
)

// tcpServer is a server on a free port of the loopback.
func tcpServer(t *testing.T, more ...string) (s *server, port int) {
	t.Helper()
	port = freePort(t)
	s = &server{URL: fmt.Sprintf("redis://127.0.0.1:%d", port), args: append([]string{
		"--port", fmt.Sprint(port), "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--appendonly", "no",
	}, more...)}
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	return s, port
}

// The master dies, Sentinel promotes the replica: the nodes follow, nobody is told offline, and a login of the
// time between is told.
func TestSentinelFailover(t *testing.T) {
	if testing.Short() {
		t.Skip("takes the seconds that Sentinel takes")
	}
	master, port := tcpServer(t)
	_, second := tcpServer(t, "--replicaof", "127.0.0.1", fmt.Sprint(port), "--repl-diskless-sync-delay", "0")
	config := filepath.Join(t.TempDir(), "sentinel.conf")
	watch := freePort(t)
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 %d 1\n"+
		"sentinel down-after-milliseconds main 500\nsentinel failover-timeout main 3000\n", watch, port)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := &server{args: []string{config, "--sentinel"}, ready: "+monitor master"}
	if err := sentinel.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sentinel.kill)
	awaitReplica(t, watch, second)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	url := fmt.Sprintf("redis://127.0.0.1:%d?master_set=main", watch)
	var nodes []*Engine
	ended := make(chan error)
	for _, name := range []string{"a", "b"} {
		e := must(New(ctx, Config{URL: url, Policy: enginetest.DefaultPolicy, Node: name, Shards: 4}))
		t.Cleanup(e.Close)
		nodes = append(nodes, e)
		go func() { ended <- e.Run(ctx) }()
	}
	login(t, nodes[0], 1)
	until(t, nodes[1], 1)
	master.kill()
	login(t, nodes[0], 2)
	login(t, nodes[1], 3)
	for _, e := range nodes {
		for id := presence.UserID(1); id <= 3; id++ {
			until(t, e, id)
		}
		untilFresh(t, e)
	}
	cancel()
	for range nodes {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// untilFresh waits until a node has caught up with the store: what waited here is told a moment before the node
// says that it is no longer stale.
func untilFresh(t *testing.T, e *Engine) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); e.Stale(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is stale though the store is back", e.node)
		}
	}
}

// awaitReplica waits until a sentinel knows a replica that is in step.
func awaitReplica(t *testing.T, sentinel, replica int) {
	t.Helper()
	admin := must(rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{fmt.Sprintf("127.0.0.1:%d", replica)}, DisableCache: true, ForceSingleClient: true,
	}))
	defer admin.Close()
	watcher := must(rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{fmt.Sprintf("127.0.0.1:%d", sentinel)}, DisableCache: true, ForceSingleClient: true,
	}))
	defer watcher.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for {
		known, err := watcher.Do(ctx, watcher.B().SentinelReplicas().Master("main").Build()).ToArray()
		role, _ := admin.Do(ctx, admin.B().Role().Build()).ToArray()
		if err == nil && len(known) == 1 && len(role) > 3 && must(role[3].ToString()) == "connected" {
			return
		}
		if ctx.Err() != nil {
			t.Fatal("the replica never came", err)
		}
	}
}
