package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"rekindle/internal/testkit"
)

// The disk of the store is not mounted when the console starts; then another store takes its place on purpose.
func TestUnmountedStoreIsNotTakenForAnEmptyOne(t *testing.T) {
	t.Parallel()
	a := serveAPI(newProcess(t).racing())
	must(a.sdk.CreateReplicationGroup(t.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("d"),
		CacheNodeType: aws.String("cache.t4g.micro")}))(t)
	a.group("orders")
	a.succeeds("backup", "now", "orders", "--name", "s1", "--wait")
	a.kill()
	store, disk := filepath.Join(a.data, "snapshots"), filepath.Join(a.data, "disk")
	fine(t, os.Rename(store, disk))
	fine(t, os.Mkdir(store, 0o700))

	a.start()
	a.connect()
	a.signIn()
	said := "The folder " + store + " does not have the mark of this console&#39;s store"
	testkit.WaitFor(t, "the pages to say it", func() bool {
		_, page := a.get("/snapshots")
		return strings.Contains(page, said)
	})
	if status, _ := a.get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz answers %d", status)
	}
	code, _, stderr := a.command("backup", "now", "orders", "--name", "s2", "--wait")
	if code != exitFailed || !strings.Contains(stderr, "is its disk mounted?") {
		t.Errorf("a snapshot ends with %d: %s", code, stderr)
	}
	if found := a.json("list", "snapshots").Snapshots; len(found) != 2 || found[0].Status != available || found[1].Status != "failed" {
		t.Errorf("%+v", found)
	}
	if made := must(os.ReadDir(store))(t); len(made) != 0 {
		t.Errorf("%v was made", made)
	}

	if code, stdout, stderr := commandWith(t, nil, "store", "adopt", "--data", a.data); code != exitOK || !strings.Contains(stdout, "is this console's own now") {
		t.Fatalf("it ends with %d: %s", code, stderr)
	}
	a.succeeds("backup", "now", "orders", "--name", "s3", "--wait")
	if _, err := os.Stat(filepath.Join(store, "orders", "s3", "manifest.json")); err != nil {
		t.Error(err)
	}
}
