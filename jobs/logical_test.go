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

// A node that is read key by key goes on answering after what ends the transfer of others. What it has told until then is not kept.
func TestANodeThatIsReadKeyByKeyMustStayWhatItIs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		happens func(t *testing.T, source, primary *testkit.Server)
		reason  string // "": another replica serves
	}{
		"all data is deleted": {func(t *testing.T, source, primary *testkit.Server) {
			must(t, primary.Client().FlushAll(t.Context()).Err())
			testkit.WaitFor(t, "the replica to delete it, too", func() bool { return source.Client().DBSize(t.Context()).Val() == 0 })
		}, "All keys of a database were deleted or exchanged (FLUSHALL"},
		"it is promoted": {func(t *testing.T, source, _ *testkit.Server) {
			must(t, source.Client().Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, st := newTroubled(t)
			const megabytes = 12 // more than is read ahead of a store that waits
			spec := attachSpec("orders")
			spec.ByKey = true
			snapshot := sourceOfFails(t, c, megabytes, spec, func(source, primary *testkit.Server, run func()) {
				reached, goOn := make(chan struct{}), make(chan struct{})
				st.mu.Lock()
				st.after, st.reached, st.goOn = 1<<20, reached, goOn
				st.mu.Unlock()
				run()
				<-reached
				test.happens(t, source, primary)
				close(goOn)
			})
			if test.reason == "" {
				if snapshot.Status != models.SnapshotAvailable || !snapshot.Logical || snapshot.Keys != megabytes {
					t.Errorf("%s with %d keys: %s", snapshot.Status, snapshot.Keys, snapshot.StatusReason)
				}
				return
			}
			if snapshot.Status != models.SnapshotFailed || !strings.Contains(snapshot.StatusReason, test.reason) {
				t.Errorf("%s: %s", snapshot.Status, snapshot.StatusReason)
			}
			if left := c.stored(); len(left) != 0 {
				t.Errorf("it has left %v", left)
			}
		})
	}
}

func TestWhyANodeThatIsReadKeyByKeyBrokeOffIsSaid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		happens func(t *testing.T, node *testkit.Server)
		reason  string
	}{
		"it lets go": {func(t *testing.T, node *testkit.Server) {
			must(t, node.Client().Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal").Err())
		}, "stopped sending its keys after"},
		"it restarts": {func(_ *testing.T, node *testkit.Server) { node.Kill(); node.Restart() }, "was restarted while it sent"},
		"it dies":     {func(_ *testing.T, node *testkit.Server) { node.Kill() }, "stopped answering after"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, st := newTroubled(t)
			node := testkit.Redis(t)
			fillBig(t, node.Client(), 24)
			spec := attachSpec("orders", node.Addr)
			spec.ByKey = true
			c.attach(spec)
			reached, goOn := make(chan struct{}), make(chan struct{})
			st.mu.Lock()
			st.after, st.reached, st.goOn = 1<<20, reached, goOn
			st.mu.Unlock()
			_, err := c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test")
			must(t, err)
			c.manager.Wake()
			<-reached
			test.happens(t, node)
			close(goOn)
			if s := c.awaitSnapshot("s1"); s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, test.reason) || !strings.Contains(s.StatusReason, "discarded") {
				t.Errorf("%s: %s", s.Status, s.StatusReason)
			}
		})
	}
}
