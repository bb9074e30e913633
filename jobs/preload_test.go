package jobs_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/launch"
	"rekindle/internal/secret"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestNobodyWritesToAClusterWhileItIsFilledFromSeveralShards(t *testing.T) {
	t.Parallel()
	// Somebody who knows the endpoint from before writes as soon as a node answers.
	var mu sync.Mutex
	answers := map[string]error{}
	var c *console
	write := func(n launch.Node) error {
		cluster, err := c.db.Clusters.Get(t.Context(), n.Cluster)
		must(t, err)
		user, password := "", secret.Text("")
		if cluster.UserGroup != "" {
			user, password = "writer", writerPassword
		}
		return c.as(cluster, models.Node{Host: n.Host, Port: n.Port}, user, password).Set(t.Context(), "app:intruder", 1, 0).Err()
	}
	data := t.TempDir()
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	c = newConsoleWith(t, clockwork.NewRealClock(), data, st, func(c *console) {
		c.started = func(n launch.Node) {
			if n.Cluster != "orders" {
				err := write(n)
				mu.Lock()
				defer mu.Unlock()
				answers[n.Cluster] = err
			}
		}
	})
	c.staff()
	orders := c.create(c.inClusterMode("orders", 2, 0))[0]
	c.fillShards(orders)
	want := c.digests(orders)
	c.snapshot("orders", "evening")
	open, withUsers := c.spec("open", 0), encrypted(c.spec("staffed", 0))
	open.Auth, withUsers.Auth, withUsers.UserGroup = models.AuthNone, models.AuthNone, "staff"
	for _, spec := range []models.ClusterSpec{open, withUsers} {
		cluster := c.restoreInto(spec, "evening")
		mu.Lock()
		answer := answers[spec.Name]
		mu.Unlock()
		if answer == nil || !strings.HasPrefix(answer.Error(), "NOPERM") && !strings.HasPrefix(answer.Error(), "WRONGPASS") {
			t.Errorf("%s: who writes while it is filled is answered with %v", spec.Name, answer)
		}
		if diff := testkit.Diff(want, c.digests(cluster)); diff != "" {
			t.Errorf("%s:\n%s", spec.Name, diff)
		}
		node := cluster.Nodes[0]
		must(t, write(launch.Node{Cluster: spec.Name, Host: node.Host, Port: node.Port}))
	}
}

func TestANewClusterHasTheDeadlinesThatWereChosen(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.create(c.spec("orders", 0))[0]
	source := c.primary(orders)
	deadline := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	must(t, source.Set(t.Context(), "session", 1, 0).Err())
	must(t, source.PExpireAt(t.Context(), "session", deadline).Err())
	must(t, source.Set(t.Context(), "lasting", 1, 0).Err())
	taken := c.snapshot("orders", "evening")
	for deadlines, want := range map[models.Deadlines]func(now time.Time) bool{
		models.DeadlinesKept: deadline.Equal,
		models.DeadlinesShifted: func(at time.Time) bool {
			return at.After(deadline) && at.Before(deadline.Add(time.Since(taken.CreatedAt)+time.Second))
		},
		models.DeadlinesDropped: time.Time.IsZero,
	} {
		spec := c.spec("copy-"+cmp.Or(string(deadlines), "kept"), 0)
		spec.Deadlines = deadlines
		client := c.primary(c.restoreInto(spec, "evening"))
		var at time.Time
		if ms := client.PTTL(t.Context(), "session").Val(); ms > 0 {
			expires, err := client.PExpireTime(t.Context(), "session").Result()
			must(t, err)
			at = time.UnixMilli(expires.Milliseconds())
		}
		if keys := client.DBSize(t.Context()).Val(); !want(at) || keys != 2 {
			t.Errorf("%q: it expires at %s, in the source at %s; %d keys", deadlines, at, deadline, keys)
		}
	}
}

func TestAFileInTheWayOfAPreloadStaysAsItIs(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	orders := c.create(c.inClusterMode("orders", 2, 0))[0]
	c.fillShards(orders)
	c.snapshot("orders", "evening")
	for _, name := range []string{"older", "older-cut-off"} {
		folder := filepath.Join(c.data, "nodes", name, name+"-001")
		must(t, os.MkdirAll(folder, 0o700))
		must(t, os.WriteFile(filepath.Join(folder, "dump.rdb"), []byte("somebody's data"), 0o600))
		spec := c.spec(name, 0)
		spec.Snapshot = "evening"
		if name == "older-cut-off" { // by a kill, before the attempt has looked at anything
			c.stop()
			_, err := c.db.Clusters.Create(t.Context(), spec)
			must(t, err)
			_, claimed, err := c.db.Runs.Claim(t.Context(), c.earlier(), func(run models.Run) bool { return run.ClusterName == name })
			if err != nil || !claimed {
				t.Fatal(claimed, err)
			}
			c.start()
		} else {
			_, err := c.db.Clusters.Create(t.Context(), spec)
			must(t, err)
			c.manager.Wake()
		}
		if failed := c.await(name, models.ClusterRestoreFailed); !strings.Contains(failed.StatusReason, "of an earlier cluster "+name) {
			t.Errorf("%s failed with %q", name, failed.StatusReason)
		}
		c.deleted(name)
		if kept, err := os.ReadFile(filepath.Join(folder, "dump.rdb")); string(kept) != "somebody's data" {
			t.Errorf("the file of %s has %q: %v", name, kept, err)
		}
	}
}

// deleted deletes a cluster and waits until it is gone.
func (c *console) deleted(name string) {
	c.t.Helper()
	must(c.t, c.db.Clusters.Delete(c.t.Context(), name, models.DeleteSpec{RequestedBy: "test"}))
	c.manager.Wake()
	testkit.WaitFor(c.t, name+" to be gone", func() bool {
		_, err := c.db.Clusters.Get(c.t.Context(), name)
		return models.HasCode(err, models.CodeClusterNotFound)
	})
}

// leavesNothing fails the test if there are files of a cluster's nodes.
func (c *console) leavesNothing(name string) {
	c.t.Helper()
	if left, err := filepath.Glob(filepath.Join(c.data, "nodes", name, "*", "*")); err != nil || len(left) > 0 {
		c.t.Errorf("the nodes of %s left %v (%v)", name, left, err)
	}
}

const preloadDiskEnv = "REKINDLE_TEST_PRELOAD_DISK"

func TestAFullDiskEndsAPreload(t *testing.T) {
	t.Parallel()
	if os.Getenv(preloadDiskEnv) != "" {
		return
	}
	output, started, err := testkit.RunChild(t, "^TestInChildPreloadWithoutRoom$", preloadDiskEnv+"=1", testkit.MountNamespace())
	if !started {
		t.Skipf("SKIPPED, NOT TESTED: no mount namespace is to be had here: %v", err)
	}
	testkit.SkipWithoutMounts(t, output)
	if err != nil || !strings.Contains(output, "--- PASS: TestInChildPreloadWithoutRoom") {
		t.Errorf("%v\n%s", err, output)
	}
}

func TestInChildPreloadWithoutRoom(t *testing.T) {
	if os.Getenv(preloadDiskEnv) == "" {
		t.Skip("run by TestAFullDiskEndsAPreload")
	}
	data := t.TempDir()
	nodes := filepath.Join(data, "nodes")
	must(t, os.Mkdir(nodes, 0o700))
	testkit.MountTmpfs(t, nodes, "6m")
	st, err := dir.Open(filepath.Join(data, "snapshots"))
	must(t, err)
	c := newConsoleWith(t, clockwork.NewRealClock(), data, st)
	fillBig(t, c.primary(c.create(c.spec("orders", 0))[0]), 8)
	c.snapshot("orders", "large")
	spec := c.spec("copy", 0)
	spec.Snapshot, spec.Deadlines = "large", models.DeadlinesShifted
	_, err = c.db.Clusters.Create(t.Context(), spec)
	must(t, err)
	c.manager.Wake()
	if failed := c.await("copy", models.ClusterRestoreFailed); failed.StatusReason != "The disk of the console's data folder is full. Free some space, then try again." {
		t.Errorf("it failed with %q", failed.StatusReason)
	}
	c.leavesNothing("copy")
	c.deleted("copy")
	if s := mustSnapshot(c, "large"); s.Status != models.SnapshotAvailable || s.Damaged() {
		t.Errorf("the snapshot is %s: %s", s.Status, s.Damage)
	}
}
