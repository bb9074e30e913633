package jobs_test

import (
	"strings"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/archive"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// Nodes that forbid PSYNC are read key by key where somebody has chosen that. The snapshot is restored like others, and it and its copies say what
// they are, also after the catalog was lost.
func TestASnapshotIsReadKeyByKeyWherePSYNCIsForbidden(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	primary := testkit.Redis(t)
	replica := replicaOf(t, primary)
	testkit.Fill(t, primary.Client(), 500)
	want := testkit.Fingerprint(t, primary.Client())
	for _, node := range []*testkit.Server{primary, replica} {
		must(t, node.Client().Do(t.Context(), "ACL", "SETUSER", "default", "-psync").Err())
	}
	spec := attachSpec("orders", primary.Addr)
	spec.ByKey = true
	c.attach(spec)

	snapshot := c.snapshot("orders", "first")
	if snapshot.Status != models.SnapshotAvailable || !snapshot.Logical || snapshot.Parts[0].ServedBy != "orders-002" || snapshot.Parts[0].ReplicationID != "" || snapshot.Warning != "" {
		t.Fatalf("%s, logical: %v, served by %+v: %s%s", snapshot.Status, snapshot.Logical, snapshot.Parts, snapshot.StatusReason, snapshot.Warning)
	}
	if got := c.restored("first", "again"); got != want {
		t.Errorf("restored: %s\nwant: %s", got, want)
	}
	c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "first", Name: "second", RequestedBy: "test"})))
	c.restart("the cluster's record", func(a *archive.Archive) bool { return c.kept(a, "orders", anyRecord) })
	c.stop()
	c.loseHost()
	c.start()
	c.rebuild()
	for _, name := range []string{"first", "second"} {
		if s, err := c.db.Snapshots.Get(t.Context(), name); err != nil || !s.Logical {
			t.Errorf("%s is logical: %v, %v", name, s.Logical, err)
		}
	}
	c.awaitAttached("orders", "it is found again", func(cluster models.Cluster) bool {
		return cluster.Status == models.ClusterAvailable && cluster.ReadByKey()
	})
}

// The functions that the user may not have are named, and without the rights to read keys the snapshot fails with a sentence.
func TestWhatCannotBeReadKeyByKeyIsSaid(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	node := testkit.Redis(t)
	testkit.Fill(t, node.Client(), 50)
	spec := attachSpec("orders", node.Addr)
	spec.ByKey = true
	c.attach(spec)
	must(t, node.Client().Do(t.Context(), "ACL", "SETUSER", "default", "-function").Err())
	if s := c.snapshot("orders", "first"); s.Status != models.SnapshotAvailable || !strings.Contains(s.Warning, "functions are not in it") {
		t.Errorf("%s: %q %q", s.Status, s.StatusReason, s.Warning)
	}
	must(t, node.Client().Do(t.Context(), "ACL", "SETUSER", "default", "-dump").Err())
	if s := c.snapshot("orders", "second"); s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "does not let its keys be read") {
		t.Errorf("%s: %q", s.Status, s.StatusReason)
	}
}
