package main

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// TestBrowserRestoresShards goes the way of somebody with many keys: create a cluster in cluster mode, take a snapshot of it, and restore that into
// another number of shards, with sessions that go on where they were.
func TestBrowserRestoresShards(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/clusters") // signs in
	b.open("/clusters/-/new")
	b.fill("id", "fleet")
	b.fill("engine", engineValue())
	b.fill("cluster_mode", "on")
	b.fill("shards", "3")
	b.fill("replicas", "0")
	b.fill("auth", "none")
	b.submit("/clusters/fleet")
	b.awaitText("Succeeded")
	fleet := s.shards(t, "fleet", 3)
	app := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{fleet.Nodes[0].Address()}})
	t.Cleanup(func() { _ = app.Close() })
	for i := range 300 {
		lives := time.Duration(0)
		if i%10 == 0 {
			lives = time.Hour
		}
		if err := app.Set(t.Context(), fmt.Sprint("session:", i), i, lives).Err(); err != nil {
			t.Fatal(err)
		}
	}
	b.open("/clusters/fleet/snapshot")
	b.fill("name", "shards")
	b.submit("/clusters/fleet")
	b.awaitText("shards") // in the sentence about the last snapshot
	b.open("/snapshots/shards")
	b.awaitText("3 parts, within")

	if late := time.Since(s.clock.Now()); late > 0 { // what is shifted goes by the console's clock, and expires by the nodes'
		s.clock.Advance(late)
	}
	b.openAgain("/snapshots/shards/restore")
	b.awaitText("30 keys of the snapshot with a deadline")
	b.fill("id", "smaller")
	b.fill("shards", "2")
	b.fill("deadlines", "shift")
	b.await("the command to say what it does", `document.querySelector('.form-aside')?.innerText.includes('This keeps the deadlines')`)
	b.submit("/clusters/smaller")
	b.awaitText("Succeeded")
	smaller := s.shards(t, "smaller", 2)
	got := map[string]string{}
	for _, primary := range smaller.Primaries() {
		maps.Copy(got, testkit.Digests(t, client(t, smaller, primary)))
	}
	if len(got) != 300 {
		t.Errorf("%d keys were restored", len(got))
	}
	copied := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{smaller.Nodes[0].Address()}})
	t.Cleanup(func() { _ = copied.Close() })
	if before, after := app.PTTL(t.Context(), "session:0").Val(), copied.PTTL(t.Context(), "session:0").Val(); before <= 0 || after <= before {
		t.Errorf("a session has %s left there and %s here", before, after)
	}
	for _, page := range [][2]string{{"shards", "/clusters/fleet"}, {"shards-connect", "/clusters/fleet?tab=connect"}, {"shards-modify", "/clusters/fleet/modify"},
		{"shards-snapshot", "/snapshots/shards"}, {"shards-restore", "/snapshots/shards/restore"}} {
		b.inspect(page[0], page[1])
	}
}

// shards waits until a cluster has so many shards and is available.
func (s *served) shards(t *testing.T, name string, n int) (cluster models.Cluster) {
	t.Helper()
	testkit.WaitFor(t, fmt.Sprintf("%s with %d shards", name, n), func() bool {
		var err error
		cluster, err = s.db.Clusters.Get(t.Context(), name)
		return err == nil && cluster.Status == models.ClusterAvailable && len(cluster.Primaries()) == n
	})
	return cluster
}
