package main

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// TestBrowserImpact takes a snapshot of a cluster that is being written to, and looks at the page that says what that cost the application.
func TestBrowserImpact(t *testing.T) {
	t.Parallel()
	s := newServed(t)
	b := newTab(t, s.url)
	b.openAgain("/clusters") // signs in
	b.open("/clusters/-/new")
	b.fill("id", "orders")
	b.fill("engine", engineValue())
	b.fill("replicas", "1")
	b.fill("auth", "none")
	b.submit("/clusters/orders")
	b.awaitText("Succeeded")
	orders, err := s.db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	node, _ := orders.Shards()[0].Primary()
	primary, done := client(t, orders, node), make(chan struct{})
	testkit.Fill(t, primary, 60_000)
	var writing sync.WaitGroup
	writing.Go(func() {
		for i := 0; primary.Set(t.Context(), "now:"+strconv.Itoa(i%500), time.Now().String(), 0).Err() == nil; i++ {
			select {
			case <-done:
				return
			default:
			}
		}
	})
	b.open("/clusters/orders/snapshot")
	b.fill("name", "measured")
	b.submit("/clusters/orders")
	b.awaitText("from replica orders-002")
	close(done)
	writing.Wait()
	snapshot, err := s.db.Snapshots.Get(t.Context(), "measured")
	if err != nil {
		t.Fatal(err)
	}
	run, known, err := s.db.Runs.Maker(t.Context(), snapshot)
	if err != nil || !known || run.Kind != models.RunSnapshot {
		t.Fatal(run, known, err)
	}
	b.open("/snapshots/measured")
	b.awaitText("The fork took")
	b.awaitText("copy-on-write needed")
	b.inspect("run-impact", "/runs/"+strconv.Itoa(int(run.ID)))
	b.inspect("snapshot-impact", "/snapshots/measured")
	b.open("/runs/" + strconv.Itoa(int(run.ID)))
	b.awaitText("The primary orders-001 answered PING")
	b.await("five plots", `document.querySelectorAll('.plot').length == 5`)
}
