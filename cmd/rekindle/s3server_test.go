package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"testing"

	"rekindle/internal/testkit"
	"rekindle/models"
)

// TestSnapshotAndRestoreOnThisServer is the product's own way through the S3 server that `make test-s3` is looking at.
func TestSnapshotAndRestoreOnThisServer(t *testing.T) {
	if os.Getenv("REKINDLE_S3_SERVER") == "" {
		t.Skip("for make test-s3")
	}
	server := testkit.S3(t)
	server.Bucket("snapshots")
	p := newProcess(t)
	p.env = []string{"AWS_ACCESS_KEY_ID=" + testkit.S3AccessKey, "AWS_SECRET_ACCESS_KEY=" + testkit.S3SecretKey}
	p.start("--store", "s3://snapshots/console?path_style=true&region="+testkit.S3Region+"&endpoint="+server.Endpoint+"&checksums="+os.Getenv("REKINDLE_S3_CHECKSUMS"))
	p.signIn()
	db := p.catalog()
	settled := func() bool {
		runs, err := db.Runs.Active(t.Context())
		return err == nil && len(runs) == 0
	}
	p.must("/clusters/-/new", createForm("orders", "0"))
	testkit.WaitFor(t, "the cluster", settled)
	orders, err := db.Clusters.Get(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	primary, _ := orders.Shards()[0].Primary()
	source := client(t, orders, primary)
	for i := range 24 { // more than one part of a multipart upload
		noise := make([]byte, 1<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(noise)
		if err := source.Set(t.Context(), fmt.Sprintf("noise:%d", i), noise, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	p.must("/clusters/orders/snapshot", url.Values{"name": {"s1"}})
	testkit.WaitFor(t, "the snapshot", settled)
	snapshot, err := db.Snapshots.Get(t.Context(), "s1")
	if err != nil || snapshot.Status != models.SnapshotAvailable {
		t.Fatalf("the snapshot is %s (%s, %v)", snapshot.Status, snapshot.StatusReason, err)
	}
	form := createForm("copy", "0")
	form.Set("copies", "1")
	p.must("/snapshots/s1/restore", form)
	testkit.WaitFor(t, "the restore", settled)
	restored, err := db.Clusters.Get(t.Context(), "copy")
	if err != nil || restored.Status != models.ClusterAvailable {
		t.Fatalf("the copy is %s (%s, %v)", restored.Status, restored.StatusReason, err)
	}
	primary, _ = restored.Shards()[0].Primary()
	for i := range 24 {
		want := source.Get(t.Context(), fmt.Sprintf("noise:%d", i)).Val()
		if got, err := client(t, restored, primary).Get(t.Context(), fmt.Sprintf("noise:%d", i)).Result(); err != nil || got != want {
			t.Errorf("noise:%d has %d bytes of %d, %v", i, len(got), len(want), err)
		}
	}
}
