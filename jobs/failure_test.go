package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/internal/store"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

// troubled is a real store whose writing can be held up or made to fail in the middle, as networks and disks do.
type troubled struct {
	store.Store
	mu      sync.Mutex
	after   int64         // bytes of an object that still go through
	failure error         // what then happens
	reached chan struct{} // closed when that point is reached
	goOn    chan struct{} // waited for there, when not nil
}

func (s *troubled) Put(ctx context.Context, key string, r io.Reader) (store.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reached == nil || !strings.HasSuffix(key, ".zst") {
		return s.Store.Put(ctx, key, r)
	}
	return s.Store.Put(ctx, key, io.MultiReader(io.LimitReader(r, s.after), &stop{ctx, s, r}))
}

type stop struct {
	ctx context.Context
	s   *troubled
	r   io.Reader
}

func (s *stop) Read(p []byte) (int, error) {
	if s.s.reached != nil {
		close(s.s.reached)
		s.s.reached = nil
		if s.s.goOn != nil {
			select {
			case <-s.s.goOn:
			case <-s.ctx.Done():
				return 0, context.Cause(s.ctx)
			}
		}
	}
	if s.s.failure != nil {
		return 0, s.s.failure
	}
	return s.r.Read(p)
}

func newTroubled(t *testing.T) (*console, *troubled) {
	t.Helper()
	data := t.TempDir()
	real, err := dir.Open(filepath.Join(data, "snapshots"))
	if err != nil {
		t.Fatal(err)
	}
	st := &troubled{Store: real}
	return newConsoleWith(t, clockwork.NewRealClock(), data, st), st
}

func TestSnapshotThatFailsLeavesNothingAndSaysWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failure error
		before  func(c *console, cluster models.Cluster, run models.Run) // in the middle of the transfer
		status  models.RunStatus
		reason  string // or one of several, by whether the supervisor was quicker
	}{
		"the store is full":             {failure: fmt.Errorf("write: %w", store.ErrFull), status: models.RunFailed, reason: "The snapshot store is full."},
		"the store is read-only":        {failure: fmt.Errorf("write: %w", store.ErrDenied), status: models.RunFailed, reason: "does not let the console read or write"},
		"the bucket does not answer":    {failure: fmt.Errorf("write: %w", store.ErrUnavailable), status: models.RunFailed, reason: "The snapshot store does not answer."},
		"the bucket has too much to do": {failure: fmt.Errorf("write: %w: %w", store.ErrBusy, store.ErrUnavailable), status: models.RunFailed, reason: "is too busy"},
		"the bucket is cut off":         {failure: fmt.Errorf("write: %w: %w (%w)", store.ErrCut, store.ErrUnavailable, io.ErrUnexpectedEOF), status: models.RunFailed, reason: "The snapshot store was cut off"},
		"the upload was ended":          {failure: fmt.Errorf("write: %w", store.ErrUploadGone), status: models.RunFailed, reason: "no longer knew the upload"},
		"the bucket stands still":       {failure: fmt.Errorf("write: %w: %w", store.ErrSlow, store.ErrUnavailable), status: models.RunFailed, reason: "stalled"},
		"the bucket does not encrypt":   {failure: fmt.Errorf("write: %w", store.ErrUnsafe), status: models.RunFailed, reason: "did not keep the object"},
		"the bucket refuses the key":    {failure: fmt.Errorf("write: %w: %w", store.ErrCredentials, store.ErrDenied), status: models.RunFailed, reason: "does not accept the console's credentials"},
		"the replica dies": {status: models.RunFailed, reason: "The replica orders-002 stopped answering after|The replica orders-002 was restarted while it sent", before: func(c *console, cluster models.Cluster, _ models.Run) {
			if err := c.nodes.Stop(c.t.Context(), "orders", "orders-002", launch.Kill); err != nil {
				c.t.Fatal(err)
			}
		}},
		"all data is deleted": {status: models.RunFailed, reason: "was deleted (FLUSHALL) while it sent the snapshot", before: func(c *console, cluster models.Cluster, _ models.Run) {
			must(c.t, c.primary(cluster).FlushAll(c.t.Context()).Err())
			testkit.WaitFor(c.t, "the replica to delete it, too", func() bool {
				return strings.Contains(c.client(cluster, cluster.Nodes[1]).Info(c.t.Context(), "commandstats").Val(), "cmdstat_flushall:")
			})
		}},
		"the replica lets go": {status: models.RunFailed, reason: "though it still runs", before: func(c *console, cluster models.Cluster, _ models.Run) {
			must(c.t, c.client(cluster, cluster.Nodes[1]).Do(c.t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err())
		}},
		"somebody cancels it": {status: models.RunCancelled, reason: "It was cancelled.", before: func(c *console, _ models.Cluster, run models.Run) {
			if err := c.db.Runs.Cancel(c.t.Context(), run.ID); err != nil {
				c.t.Fatal(err)
			}
			testkit.WaitFor(c.t, "the run to be cancelled", func() bool {
				run, _ = c.db.Runs.Get(c.t.Context(), run.ID)
				return run.Status.Ended()
			})
		}},
		"the console is stopped": {status: models.RunFailed, reason: "Rekindle was stopped", before: func(c *console, _ models.Cluster, _ models.Run) {
			c.stop()
			c.start()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, st := newTroubled(t)
			cluster := c.create(c.spec("orders", 1))[0]
			source := c.primary(cluster)
			fillBig(t, source, 24)
			reached, goOn := make(chan struct{}), make(chan struct{})
			st.mu.Lock()
			st.after, st.failure, st.reached, st.goOn = 1<<20, test.failure, reached, goOn
			st.mu.Unlock()
			run, err := c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "test")
			if err != nil {
				t.Fatal(err)
			}
			c.manager.Wake()
			<-reached
			if test.before != nil {
				test.before(c, cluster, run)
			}
			close(goOn)
			snapshot := c.awaitSnapshot("s1")
			run, err = c.db.Runs.Get(t.Context(), run.ID)
			if err != nil {
				t.Fatal(err)
			}
			if snapshot.Status != models.SnapshotFailed || run.Status != test.status || !slices.ContainsFunc(strings.Split(test.reason, "|"), func(reason string) bool { return strings.Contains(snapshot.StatusReason, reason) }) {
				t.Errorf("snapshot is %s, run is %s, reason %q; want failed, %s, %q", snapshot.Status, run.Status, snapshot.StatusReason, test.status, test.reason)
			}
			if files := c.stored(); len(files) != 0 {
				t.Errorf("the store still has %v", files)
			}
			st.mu.Lock()
			st.failure = nil
			st.mu.Unlock()
			testkit.WaitFor(t, "the replica to be there", func() bool {
				found, err := c.manager.SnapshotSource(t.Context(), cluster)
				return err == nil && !found.Fallback
			})
			c.await("orders", models.ClusterAvailable)
			if again := c.snapshot("orders", "s2"); again.Status != models.SnapshotAvailable {
				t.Errorf("the next snapshot is %s (%s), want available", again.Status, again.StatusReason)
			}
		})
	}
}

// A password that the application has changed is no silence: the node answers, and that is what is said wherever it matters.
func TestPasswordThatWasChangedIsSaidAsOne(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	conn := c.primary(cluster).Conn()
	defer conn.Close()
	must(t, conn.ConfigSet(t.Context(), "requirepass", "another-one").Err())
	const want = "answers, but does not accept the console's password"
	if cluster = c.await("orders", models.ClusterUnreachable); !strings.Contains(cluster.StatusReason, want) {
		t.Errorf("the cluster: %q", cluster.StatusReason)
	}
	if _, err := c.manager.SnapshotSource(t.Context(), cluster); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("where a snapshot would be taken: %v", err)
	}
	must(t, conn.ConfigSet(t.Context(), "requirepass", cluster.Password.Reveal()).Err())
	c.await("orders", models.ClusterAvailable)
}

// A restore waits in the queue while a verification finds out that its snapshot is damaged: then it is not used, although its bytes could be read.
func TestQueuedRestoreOfASnapshotThatTurnsOutDamagedFails(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	c.snapshot("orders", "s1")
	c.stop()
	spec := c.spec("copy", 0)
	spec.Snapshot = "s1"
	if _, err := c.db.Clusters.Create(t.Context(), spec); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Verifications.Request(t.Context(), "s1", "test"); err != nil {
		t.Fatal(err)
	}
	run, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(run models.Run) bool { return run.Kind == models.RunVerify })
	if err != nil || !claimed {
		t.Fatal(claimed, err)
	}
	row, err := c.db.Snapshots.Get(t.Context(), "s1")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.db.Settle.Verify(t.Context(), run, row, "Its manifest is another one."); err != nil {
		t.Fatal(err)
	}
	c.start()
	cluster := c.await("copy", models.ClusterRestoreFailed)
	if !strings.Contains(cluster.StatusReason, "The snapshot s1 has failed. Its manifest is another one.") {
		t.Errorf("the reason is %q", cluster.StatusReason)
	}
}

func TestRestoreOfDamagedSnapshotFailsWithoutHandingAnythingOver(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		damage func(path string) error
		reason string
	}{
		"a flipped bit": {func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			b[len(b)/2] ^= 1
			return os.WriteFile(path, b, 0o600)
		}, "does not match"},
		"a cut part":     {func(path string) error { return os.Truncate(path, 1000) }, "does not match"},
		"a missing part": {os.Remove, "missing"},
	} {
		for way, deadlines := range map[string]models.Deadlines{"fed as it is": models.DeadlinesKept, "made into another RDB": models.DeadlinesShifted} {
			t.Run(name+", "+way, func(t *testing.T) {
				t.Parallel()
				c := newConsole(t, clockwork.NewRealClock())
				fillBig(t, c.primary(c.create(c.spec("orders", 0))[0]), 4)
				c.snapshot("orders", "s1")
				if err := test.damage(c.file("orders", "s1", firstPart)); err != nil {
					t.Fatal(err)
				}
				spec := c.spec("copy", 0)
				spec.Snapshot, spec.Deadlines = "s1", deadlines
				if _, err := c.db.Clusters.Create(t.Context(), spec); err != nil {
					t.Fatal(err)
				}
				c.manager.Wake()
				cluster := c.await("copy", models.ClusterRestoreFailed)
				if !strings.Contains(cluster.StatusReason, test.reason) {
					t.Errorf("the reason is %q, want one with %q", cluster.StatusReason, test.reason)
				}
				if running, err := c.nodes.Running(t.Context(), "copy", "copy-001"); err != nil || running {
					t.Errorf("the node still runs (%v)", err)
				}
				c.leavesNothing("copy")
				// It is as it was, until the verification that the failure has asked for says what is wrong with it.
				if snapshot, err := c.db.Snapshots.Get(t.Context(), "s1"); err != nil || snapshot.Status != models.SnapshotAvailable && !snapshot.Damaged() {
					t.Errorf("the snapshot is %s (%v), want it untouched", snapshot.Status, err)
				}
				c.deleted("copy")
			})
		}
	}
}

func TestSourceWithoutReplicasIsThePrimaryWithItsMemory(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("alone", 0))[0]
	source, err := c.manager.SnapshotSource(t.Context(), cluster)
	if err != nil {
		t.Fatal(err)
	}
	if !source.Fallback || !source.Fits || source.UsedMemory <= 0 || source.Available <= 0 {
		t.Errorf("the source is %+v, want the primary as a fallback, with its memory", source)
	}
}

// The host's memory is limited as a service's or a container's is.
func TestSnapshotThatDoesNotFitIsTakenWithTheOverrideOnly(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 0))[0]
	for name, text := range map[string]string{"memory.max": "1100000\n", "memory.current": "1000000\n", "memory.stat": "inactive_file 0\n"} {
		if err := errors.Join(os.MkdirAll(filepath.Join(c.data, "cgroup"), 0o700), os.WriteFile(filepath.Join(c.data, "cgroup", name), []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if source, err := c.manager.SnapshotSource(t.Context(), cluster); err != nil || source.Fits || source.Available != 100_000 {
		t.Fatalf("the source is %+v, %v", source, err)
	}
	for name, override := range map[string]bool{"refused": false, "taken": true} {
		if _, err := c.db.Snapshots.Request(t.Context(), "orders", name, override, "test"); err != nil {
			t.Fatal(err)
		}
		c.manager.Wake()
		snapshot := c.awaitSnapshot(name)
		if (snapshot.Status == models.SnapshotAvailable) != override || !override && !strings.Contains(snapshot.StatusReason, "Free some memory") {
			t.Errorf("with the override %t: %s, %q", override, snapshot.Status, snapshot.StatusReason)
		}
	}
}

func TestFailedFinalSnapshotKeepsTheCluster(t *testing.T) {
	t.Parallel()
	c, st := newTroubled(t)
	source := c.primary(c.create(c.spec("orders", 0))[0])
	testkit.Fill(t, source, 50)
	want := testkit.Fingerprint(t, source)
	st.mu.Lock()
	st.failure, st.reached = fmt.Errorf("write: %w", store.ErrFull), make(chan struct{})
	st.mu.Unlock()
	if err := c.db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "last", RequestedBy: "test"}); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	cluster := c.await("orders", models.ClusterAvailable)
	if !strings.Contains(cluster.StatusReason, "It was not deleted.") {
		t.Errorf("the reason is %q", cluster.StatusReason)
	}
	if got := testkit.Fingerprint(t, source); got != want {
		t.Error("the data changed")
	}
	if files := c.stored(); len(files) != 0 {
		t.Errorf("the store still has %v", files)
	}
}

func TestSnapshotInTheStoreThatTheCatalogDoesNotKnowIsNeverTouched(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	testkit.Fill(t, c.primary(c.create(c.spec("orders", 0))[0]), 50)
	c.snapshot("orders", "precious")
	if err := c.db.Snapshots.RemoveRow(t.Context(), "precious"); err != nil { // as if the database had been lost
		t.Fatal(err)
	}
	before := c.stored()
	second := c.snapshot("orders", "precious")
	if second.Status != models.SnapshotFailed || !strings.Contains(second.StatusReason, "already has a snapshot of this name") {
		t.Errorf("the second one is %s (%s), want failed with the reason", second.Status, second.StatusReason)
	}
	if err := c.db.Snapshots.Delete(t.Context(), []string{"precious"}, "test"); err != nil {
		t.Fatal(err)
	}
	c.manager.Wake()
	testkit.WaitFor(t, "the failed one to be gone from the catalog", func() bool {
		_, err := c.db.Snapshots.Get(t.Context(), "precious")
		return models.HasCode(err, models.CodeSnapshotNotFound)
	})
	if after := c.stored(); len(before) != 2 || strings.Join(after, " ") != strings.Join(before, " ") {
		t.Errorf("the store had %v and has %v", before, after)
	}
}

// A replica whose link is down does not know what it misses. Its own password for the primary is wrong here, which nobody puts right.
func TestReplicaThatHasLostItsPrimaryServesNoSnapshot(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	c.create(c.spec("orders", 1))
	cluster := c.awaitNodes("orders")
	replica := c.client(cluster, cluster.Nodes[1])
	if source, err := c.manager.SnapshotSource(t.Context(), cluster); err != nil || source.Node.Name != "orders-002" || source.Fallback {
		t.Errorf("in step: the source is %+v, %v", source, err)
	}
	must(t, replica.ConfigSet(t.Context(), "masterauth", "another").Err())
	must(t, c.primary(cluster).Do(t.Context(), "CLIENT", "KILL", "TYPE", "replica").Err())
	testkit.WaitFor(t, "the replica's link to be down", func() bool {
		return field(replica.Info(t.Context(), "replication").Val(), "master_link_status") == "down"
	})
	source, err := c.manager.SnapshotSource(t.Context(), cluster)
	if err != nil || source.Node.Name != "orders-001" || !source.Fallback || !strings.HasPrefix(source.Why, "No replica is in step with its primary") {
		t.Errorf("without a link: the source is %+v, %v", source, err)
	}
}
