package main

import (
	"net/url"
	"strings"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// A console that is killed while a node is tuned for a snapshot puts the node's settings back when it starts again.
func TestAKilledConsolePutsANodesSettingsBack(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]struct{ command, leaves string }{
		"at the second change":     {"CONFIG SET repl-diskless-sync-delay 0", "no 0"},
		"when the snapshot begins": {"PSYNC ? -1", "no 0"},
		"when one is put back":     {"CONFIG SET rdbcompression yes", "yes 0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			node := testkit.Redis(t, "--repl-diskless-sync-delay", "1")
			p := newProcess(t)
			reached, goOn := make(chan struct{}), make(chan struct{})
			tap := testkit.NewTap(t, node.Addr, func(heard string) {
				if heard == at.command {
					select {
					case <-goOn:
					default:
						close(reached)
						<-goOn
					}
				}
			})
			p.start()
			p.signIn()
			p.must("/clusters/-/attach", url.Values{"id": {"orders"}, "addresses": {tap.Addr}, "tuned": {"on"}, "action": {"attach"}})
			p.must("/clusters/orders/snapshot", url.Values{"name": {"first"}})
			<-reached
			p.kill()
			close(goOn)
			settings := func() string {
				return strings.Join([]string{node.Client().ConfigGet(t.Context(), "rdbcompression").Val()["rdbcompression"], node.Client().ConfigGet(t.Context(), "repl-diskless-sync-delay").Val()["repl-diskless-sync-delay"]}, " ")
			}
			testkit.WaitFor(t, "the node to have "+at.leaves, func() bool { return settings() == at.leaves }) // it gets what was sent last
			p.start()
			testkit.WaitFor(t, "the settings to be put back", func() bool { return settings() == "yes 1" })
			db := p.catalog()
			testkit.WaitFor(t, "the snapshot to be settled", func() bool {
				s, err := db.Snapshots.Get(t.Context(), "first")
				return err == nil && s.Status == models.SnapshotFailed
			})
			cluster, err := db.Clusters.Get(t.Context(), "orders")
			if err != nil {
				t.Fatal(err)
			}
			testkit.WaitFor(t, "nothing to be left", func() bool {
				open, err := db.Tunings.Open(t.Context(), cluster.ID)
				return err == nil && len(open) == 0
			})
		})
	}
}
