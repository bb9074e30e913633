package main

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// The database is deleted under a console that is stopped; its nodes go on.
func TestLostDatabaseIsRebuiltByACommand(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	p.signIn()
	p.must("/clusters/-/new", createForm("orders", "1"))
	db := p.catalog()
	k := &killer{process: p, db: db, checked: make(map[string]bool)}
	k.settle()
	before, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	primary, _ := before.Shards()[0].Primary()
	testkit.Fill(t, client(t, before, primary), 100)
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	k.settle()

	rebuild := func() (int, string) {
		var output bytes.Buffer
		code := run(t.Context(), []string{"catalog", "rebuild", "--data", p.data}, func(string) string { return "" }, &output, &output)
		return code, output.String()
	}
	if code, output := rebuild(); code != exitFailed || !strings.Contains(output, "another Rekindle already works on") {
		t.Errorf("beside a running console it ends with %d: %s", code, output)
	}
	p.kill()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(p.data, catalogFile+suffix))
	}
	if code, output := rebuild(); code != exitOK || !strings.Contains(output, "1 snapshots found, 1 of them new, 0 known already. Brought back from their nodes: orders.") {
		t.Fatalf("it ends with %d: %s", code, output)
	}
	if code, output := rebuild(); code != exitOK || !strings.Contains(output, "1 snapshots found, 0 of them new, 1 known already.") {
		t.Errorf("a second time it ends with %d: %s", code, output)
	}
	p.start()
	db = p.catalog()
	after, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := after.Shards()[0].Primary(); now.Address() != primary.Address() || after.Password != before.Password || len(after.Nodes) != len(before.Nodes) {
		t.Errorf("the cluster came back as %+v", after)
	}
	if s, err := db.Snapshots.Get(t.Context(), "s1"); err != nil || s.Status != models.SnapshotAvailable || s.ClusterID != after.ID {
		t.Errorf("the snapshot came back as %+v: %v", s, err)
	}
}
