package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// A console that is killed in the middle of a drill leaves a node. The next one removes it, and holds the drill again.
func TestConsoleKilledInADrill(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	p.signIn()
	p.must("/clusters/-/new", createForm("orders", "0"))
	k := killer{process: p, db: p.catalog(), checked: make(map[string]bool)}
	k.settle()
	orders, err := k.db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	source := client(t, orders, orders.Nodes[0])
	for i := range 24 {
		noise := make([]byte, 1<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(noise)
		if err := source.Set(t.Context(), fmt.Sprintf("noise:%d", i), noise, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	k.settle()
	left := func() []string {
		found, err := filepath.Glob(filepath.Join(p.data, nodesFolder, "0-drill-*", "*", "node.json"))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	killed := 0
	for range 10 { // until it was hit twice: it may be faster than the kill
		run, err := k.db.Drills.Request(t.Context(), "s1", "test")
		if err != nil {
			t.Fatal(err)
		}
		testkit.WaitFor(t, "the node of the drill", func() bool { return len(left()) > 0 })
		p.kill()
		if len(left()) > 0 {
			killed++
		}
		p.start()
		k.settle()
		if ended, err := k.db.Runs.Get(t.Context(), run.ID); err != nil || ended.Status != models.RunSucceeded {
			t.Fatalf("the drill ended %s (%s), %v", ended.Status, ended.Error, err)
		}
		if found, _ := filepath.Glob(filepath.Join(p.data, nodesFolder, "0-*")); len(found) != 0 {
			t.Fatalf("nodes are left: %v", found)
		}
		if killed == 2 {
			return
		}
	}
	t.Errorf("the console was killed only %d times in a drill", killed)
}
