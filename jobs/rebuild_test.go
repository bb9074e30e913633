package jobs_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/internal/testkit"
	"rekindle/models"
	"rekindle/models/catalog"
)

// loseCatalog deletes the database under a console that is stopped, and opens a new one.
func (c *console) loseCatalog() {
	c.t.Helper()
	must(c.t, c.db.Close())
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(c.data, "rekindle.db"+suffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			c.t.Fatal(err)
		}
	}
	db, err := catalog.Open(c.t.Context(), catalog.File(filepath.Join(c.data, "rekindle.db")), c.clock, c.host)
	must(c.t, err)
	c.db = db
}

func (c *console) rebuild() models.Run {
	c.t.Helper()
	run, err := c.db.Rebuild.Request(c.t.Context(), "test")
	must(c.t, err)
	c.manager.Wake()
	return c.ended(run.ID)
}

func TestLostCatalogIsRebuiltFromTheStoreAndTheNodes(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	spec := c.spec("orders", 1)
	spec.Description, spec.Retention, spec.Window = "Orders of the shop", 9, models.Window{Start: 4 * 60, Length: 90}
	cluster := c.create(spec)[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 300)
	want := testkit.Fingerprint(t, source)
	before := c.snapshot("orders", "s1")
	gone := c.create(c.spec("gone", 0))[0]
	c.snapshot("gone", "of-gone")
	must(t, c.db.Clusters.Delete(t.Context(), gone.Name, models.DeleteSpec{RequestedBy: "test"}))
	c.manager.Wake()
	testkit.WaitFor(t, "the cluster to be gone", func() bool {
		_, err := c.db.Clusters.Get(t.Context(), "gone")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	// The roles are not those of the start any more.
	must(t, c.nodes.Stop(t.Context(), "orders", "orders-001", launch.Kill))
	testkit.WaitFor(t, "the replica to be primary", func() bool {
		cluster, _ = c.db.Clusters.Get(t.Context(), "orders")
		primary, _ := cluster.Shards()[0].Primary()
		replica := c.client(cluster, cluster.Nodes[0]).Info(t.Context(), "replication").Val()
		return primary.Name == "orders-002" && strings.Contains(replica, "role:slave") && strings.Contains(replica, "master_link_status:up")
	})
	c.stop()
	c.loseCatalog()
	c.start()
	testkit.WaitFor(t, "an event that says what can be done", func() bool {
		return strings.Contains(c.events(), "The store has snapshots that the catalog does not know")
	})
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild %s: %s", run.Status, run.Error)
	}
	after, err := c.db.Snapshots.Get(t.Context(), "s1")
	must(t, err)
	if before.NodeCreatedAt == nil || after.NodeCreatedAt == nil || !after.NodeCreatedAt.Equal(*before.NodeCreatedAt) {
		t.Errorf("the node of the snapshot was made %v and came back as made %v", before.NodeCreatedAt, after.NodeCreatedAt)
	}
	for _, s := range []*models.Snapshot{&before, &after} {
		s.NodeCreatedAt = nil
		s.ID, s.ClusterID, s.CreatedAt, s.StartedAt, s.CompletedAt, s.VerifiedAt = 0, 0, s.CreatedAt.UTC(), nil, nil, nil
		for i := range s.Parts {
			s.Parts[i].ID, s.Parts[i].SnapshotID = 0, 0
		}
	}
	if fmt.Sprintf("%+v", after) != fmt.Sprintf("%+v", before) {
		t.Errorf("the snapshot came back as\n%+v\nand was\n%+v", after, before)
	}
	if other, err := c.db.Snapshots.Get(t.Context(), "of-gone"); err != nil || other.Status != models.SnapshotAvailable || other.ClusterID != 0 {
		t.Errorf("the snapshot of the deleted cluster: %v, %s, cluster %d", err, other.Status, other.ClusterID)
	}
	back, err := c.db.Clusters.Get(t.Context(), "orders")
	must(t, err)
	primary, _ := back.Shards()[0].Primary()
	if back.Description != spec.Description || back.RetentionLimit != 9 || back.SnapshotWindow != spec.Window || back.NodeType != spec.NodeType ||
		back.Password != cluster.Password || len(back.Nodes) != 2 || primary.Name != "orders-002" || back.Port != primary.Port {
		t.Errorf("the cluster came back as %+v", back)
	}
	c.await("orders", models.ClusterAvailable)
	if got := testkit.Fingerprint(t, c.primary(back)); got != want {
		t.Error("the cluster lost data")
	}
	if s := c.snapshot("orders", "after"); s.Status != models.SnapshotAvailable {
		t.Errorf("a snapshot after the rebuild is %s (%s)", s.Status, s.StatusReason)
	}
	restore := c.spec("copy", 0)
	restore.Snapshot = "s1"
	if got := testkit.Fingerprint(t, c.primary(c.create(restore)[0])); got != want {
		t.Error("the snapshot restores other data than was taken")
	}
	// Again it changes nothing.
	if run := c.rebuild(); run.Status != models.RunSucceeded || !strings.Contains(c.events(), "3 snapshots found, 0 of them new, 3 known already.") {
		t.Errorf("a second rebuild %s: %s\n%s", run.Status, run.Error, c.events())
	}
}

func TestRebuildSaysWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	for _, name := range []string{"good", "lost", "newer", "broken", "remains"} {
		c.snapshot("orders", name)
	}
	c.stop()
	c.loseCatalog()
	newer := c.file("orders", "newer", "manifest.json")
	text, err := os.ReadFile(newer)
	must(t, err)
	must(t, os.WriteFile(newer, []byte(strings.Replace(string(text), `"format_version": 2`, `"format_version": 9`, 1)), 0o600))
	must(t, os.WriteFile(c.file("orders", "broken", "manifest.json"), []byte("{"), 0o600))
	must(t, os.Remove(c.file("orders", "remains", "manifest.json")))
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded {
		t.Fatalf("the rebuild %s: %s", run.Status, run.Error)
	}
	found, err := c.db.Snapshots.List(t.Context(), models.List{Sort: "name"})
	must(t, err)
	if len(found.Rows) != 2 || found.Rows[0].Name != "good" || found.Rows[1].Name != "lost" {
		t.Errorf("the catalog has %d snapshots", len(found.Rows))
	}
	events := c.events()
	for _, want := range []string{"warning orders: The manifest of orders/newer in the store was written by a newer Rekindle", "warning orders: The manifest of orders/broken"} {
		if !strings.Contains(events, want) {
			t.Errorf("no event %q in\n%s", want, events)
		}
	}
	// A row whose manifest is missing is lost; bytes and other rows stay.
	must(t, os.Remove(c.file("orders", "lost", "manifest.json")))
	files := len(c.stored())
	c.rebuild()
	if s, err := c.db.Snapshots.Get(t.Context(), "lost"); err != nil || !s.Damaged() {
		t.Errorf("the lost one is %s: %v", s.Status, err)
	}
	c.stop()
	half := filepath.Join(c.data, "snapshots", ".tmp", "HALF") // what nobody holds any more goes: then the store has been swept
	must(t, os.MkdirAll(filepath.Dir(half), 0o700))
	must(t, os.WriteFile(half, []byte("x"), 0o600))
	c.start()
	testkit.WaitFor(t, "the store to be swept", func() bool {
		_, err := os.Stat(half)
		return errors.Is(err, os.ErrNotExist)
	})
	if got := len(c.stored()); got != files {
		t.Errorf("%d of %d files are left", got, files)
	}
}

// A snapshot that the catalog has as failed, though it is whole in the store, is reinstated; what runs are at work on is left alone.
func TestRebuildReinstatesWhatIsWhole(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	testkit.Fill(t, c.primary(cluster), 50)
	before := c.snapshot("orders", "s1")
	c.stop()
	aside := filepath.Join(c.data, "aside")
	must(t, os.Rename(filepath.Join(c.data, "snapshots", "orders", "s1"), aside))
	// The same snapshot as a row that failed: its run was cut off between the manifest and the catalog, and the store was away then.
	c.loseCatalog()
	spec := c.spec("orders", 0)
	spec.Name = "orders"
	if _, err := c.db.Clusters.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	run, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(models.Run) bool { return true })
	if err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	must(t, c.db.Settle.Cluster(t.Context(), run, "It is there."))
	if _, err := c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test"); err != nil {
		t.Fatal(err)
	}
	run, claimed, err = c.db.Runs.Claim(t.Context(), c.earlier(), func(models.Run) bool { return true })
	if err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	must(t, c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The store did not answer."))
	must(t, os.MkdirAll(filepath.Join(c.data, "snapshots", "orders"), 0o700))
	must(t, os.Rename(aside, filepath.Join(c.data, "snapshots", "orders", "s1")))
	c.start()
	if run := c.rebuild(); run.Status != models.RunSucceeded || !strings.Contains(c.events(), "1 that had failed are whole and available.") {
		t.Fatalf("the rebuild %s: %s\n%s", run.Status, run.Error, c.events())
	}
	after, err := c.db.Snapshots.Get(t.Context(), "s1")
	if err != nil || after.Status != models.SnapshotAvailable || after.Bytes != before.Bytes || len(after.Parts) != 1 || !after.CreatedAt.Equal(before.CreatedAt) {
		t.Errorf("it came back as %+v: %v", after, err)
	}
	// Nobody has looked at it since, so the schedule may be verifying it already.
	if _, err := c.db.Verifications.Request(t.Context(), "s1", "test"); err != nil && !models.HasCode(err, models.CodeSnapshotState) {
		t.Fatal(err)
	}
	c.manager.Wake()
	testkit.WaitFor(t, "it to be verified", func() bool { return mustSnapshot(c, "s1").VerifiedAt != nil })
	if verified := mustSnapshot(c, "s1"); verified.Status != models.SnapshotAvailable {
		t.Errorf("verified it is %s (%s)", verified.Status, verified.StatusReason)
	}
}

// Whoever creates a cluster anew before the catalog is rebuilt does not start over the data of the old one.
func TestNodesThatTheCatalogLostAreNeverTaken(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{models.AuthGenerate, models.AuthNone} {
		for _, running := range []bool{true, false} {
			t.Run(fmt.Sprintf("auth %s, running %v", auth, running), func(t *testing.T) { t.Parallel(); neverTaken(t, auth, running) })
		}
	}
}

func neverTaken(t *testing.T, auth string, running bool) {
	t.Helper()
	c := newConsole(t, clockwork.NewRealClock())
	spec := c.spec("orders", 1)
	spec.Auth = auth
	cluster := c.create(spec)[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 100)
	want := testkit.Fingerprint(t, source)
	c.stop()
	if !running {
		for _, node := range cluster.Nodes {
			must(t, c.nodes.Stop(t.Context(), "orders", node.Name, launch.Save))
		}
	}
	c.loseCatalog()
	c.start()
	spec.Replicas = 0
	_, err := c.db.Clusters.Create(t.Context(), spec)
	must(t, err)
	c.manager.Wake()
	if failed := c.await("orders", models.ClusterCreateFailed); !strings.Contains(failed.StatusReason, "of an earlier cluster orders") {
		t.Errorf("it failed because %q", failed.StatusReason)
	}
	must(t, c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "test"}))
	c.manager.Wake()
	testkit.WaitFor(t, "the new cluster to be gone", func() bool {
		_, err := c.db.Clusters.Get(t.Context(), "orders")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	if running && testkit.Fingerprint(t, source) != want {
		t.Fatal("the old cluster lost data")
	}
	c.rebuild()
	if back := c.await("orders", models.ClusterAvailable); len(back.Nodes) != 2 || testkit.Fingerprint(t, c.primary(back)) != want {
		t.Errorf("it came back as %+v", back)
	}
}
