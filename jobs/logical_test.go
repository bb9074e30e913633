package jobs_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"
	"github.com/redis/go-redis/v9"

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

// In cluster mode each shard is read key by key, by a user who may do nothing else. What becomes of the snapshot, wherever it goes, is the same data and
// says that it is not of one point in time.
func TestShardsAreReadKeyByKey(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	nodes := testkit.InClusterMode(t, 3, 3)
	app := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].Addr}})
	t.Cleanup(func() { app.Close() })
	for i := range 600 {
		key := fmt.Sprint("order:", i)
		must(t, app.HSet(t.Context(), key, "total", i).Err())
		if i%2 == 0 {
			must(t, app.ExpireAt(t.Context(), key, time.Unix(4102444800, 0)).Err())
		}
		must(t, app.ZAdd(t.Context(), "{"+key+"}:lines", redis.Z{Score: float64(i), Member: "a"}).Err())
	}
	want := map[string]string{}
	for i, node := range nodes {
		if i < 3 {
			maps.Copy(want, testkit.Digests(t, node.Client()))
			must(t, node.Client().Do(t.Context(), "WAIT", 1, 30000).Err())
		}
		must(t, node.Client().Do(t.Context(), "ACL", "SETUSER", "backup", "on", ">s3cret", "-@all", "+info", "+cluster|nodes").Err())
	}
	spec := attachSpec("orders", nodes[0].Addr)
	spec.ByKey, spec.Username, spec.Password = true, "backup", "s3cret"
	found, err := c.manager.Examine(t.Context(), spec)
	must(t, err)
	for _, node := range nodes {
		var args []any
		for word := range strings.FieldsSeq(found.Rights) {
			args = append(args, word)
		}
		must(t, node.Client().Do(t.Context(), args...).Err())
	}
	c.attach(spec)

	snapshot := c.snapshot("orders", "first")
	if snapshot.Status != models.SnapshotAvailable || !snapshot.Logical || !snapshot.ClusterMode || len(snapshot.Parts) != 3 || snapshot.Keys != 1200 || snapshot.Warning != "" {
		t.Fatalf("%s, logical: %v, with %d keys in %d parts: %s%s", snapshot.Status, snapshot.Logical, snapshot.Keys, len(snapshot.Parts), snapshot.StatusReason, snapshot.Warning)
	}
	for _, part := range snapshot.Parts {
		if part.ServedRole != models.RoleReplica || part.Slots == "" || part.ReplicationID != "" {
			t.Errorf("part %+v", part)
		}
	}
	c.awaitRun(c.must(c.db.Copies.Copy(t.Context(), models.CopySpec{Snapshot: "first", Name: "copied", RequestedBy: "test"})))
	out := t.TempDir()
	c.awaitRun(c.must(c.db.Copies.Export(t.Context(), models.ExportSpec{Snapshot: "first", Name: "out", Store: "dir:" + out, RequestedBy: "test"})))
	var files [][]byte
	for shard := range 3 {
		file, err := os.ReadFile(filepath.Join(out, models.ExportedObject("out", shard+1)))
		must(t, err)
		files = append(files, file)
	}
	must(t, c.upload("elsewhere", "imported", files...))
	for _, name := range []string{"first", "copied", "imported"} {
		if s := c.awaitSnapshot(name); !s.Logical {
			t.Errorf("%s is of one point in time", name)
		}
		restored := c.restoreInto(c.inClusterMode("from-"+name, 2, 0), name)
		if diff := testkit.Diff(want, c.digests(restored)); diff != "" {
			t.Errorf("from %s:\n%s", name, diff)
		}
	}

	c.stop()
	c.loseHost()
	c.start()
	c.rebuild()
	for _, name := range []string{"first", "copied", "imported"} {
		if s, err := c.db.Snapshots.Get(t.Context(), name); err != nil || !s.Logical {
			t.Errorf("after the loss of the catalog %s is logical: %v, %v", name, s.Logical, err)
		}
	}
}

// A slot that goes to another shard in the middle is in one part, in both or in none.
func TestASnapshotReadKeyByKeyIsDiscardedWhenSlotsMove(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	nodes := testkit.InClusterMode(t, 2, 0)
	app := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{nodes[0].Addr}})
	t.Cleanup(func() { app.Close() })
	for i := range 24 {
		must(t, app.Set(t.Context(), noiseKey(i), noise(i), 0).Err())
	}
	spec := attachSpec("orders", nodes[0].Addr)
	spec.ByKey = true
	c.attach(spec)
	reached, goOn := make(chan struct{}), make(chan struct{})
	st.mu.Lock()
	st.after, st.reached, st.goOn = 1<<20, reached, goOn
	st.mu.Unlock()
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "torn", false, "test")
	must(t, err)
	c.manager.Wake()
	<-reached
	id := nodes[1].Client().Do(t.Context(), "CLUSTER", "MYID").Val()
	for _, node := range []*testkit.Server{nodes[1], nodes[0]} {
		must(t, node.Client().Do(t.Context(), "CLUSTER", "SETSLOT", 5, "NODE", id).Err())
	}
	close(goOn)
	if s := c.awaitSnapshot("torn"); s.Status != models.SnapshotFailed || !strings.Contains(s.StatusReason, "Slots were moved between the shards") {
		t.Errorf("%s: %s", s.Status, s.StatusReason)
	}
	if left := c.stored(); len(left) != 0 {
		t.Errorf("it has left %v", left)
	}
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
