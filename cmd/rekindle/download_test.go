package main

import (
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// TestDownloadedSnapshotIsAnRDBThatRedisLoads goes the way back without Rekindle: download, check, start a server on the file.
func TestDownloadedSnapshotIsAnRDBThatRedisLoads(t *testing.T) {
	t.Parallel()
	p := newProcess(t)
	p.start()
	p.signIn()
	db := p.catalog()
	p.must("/clusters/-/new", createForm("orders", "0"))
	settled := func() bool {
		runs, err := db.Runs.Active(t.Context())
		return err == nil && len(runs) == 0
	}
	testkit.WaitFor(t, "the cluster", settled)
	orders, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	primary, _ := orders.Shards()[0].Primary()
	source := client(t, orders, primary)
	testkit.Fill(t, source, 500)
	want := testkit.Fingerprint(t, source)
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	testkit.WaitFor(t, "the snapshot", settled)
	if snapshot, err := db.Snapshots.Get(t.Context(), "s1"); err != nil || snapshot.Status != models.SnapshotAvailable {
		t.Fatalf("the snapshot is %s (%v)", snapshot.Status, err)
	}

	status, plain := p.get("/snapshots/s1/parts/1.rdb")
	if status != http.StatusOK {
		t.Fatalf("the plain part answered %d", status)
	}
	status, stored := p.get("/snapshots/s1/parts/1.rdb.zst")
	if status != http.StatusOK {
		t.Fatalf("the stored part answered %d", status)
	}
	reader, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if unpacked, err := reader.DecodeAll([]byte(stored), nil); err != nil || string(unpacked) != plain {
		t.Errorf("the stored part does not unpack to the plain one (%v)", err)
	}
	folder := t.TempDir()
	file := filepath.Join(folder, "dump.rdb")
	if err := os.WriteFile(file, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	if output, err := exec.CommandContext(t.Context(), "redis-check-rdb", file).CombinedOutput(); err != nil || !strings.Contains(string(output), "RDB looks OK") {
		t.Errorf("redis-check-rdb: %v\n%s", err, output)
	}
	server := testkit.Redis(t, "--dir", folder)
	if got := testkit.Fingerprint(t, server.Client()); got != want {
		t.Error("a server that starts on the file has other data")
	}
}
