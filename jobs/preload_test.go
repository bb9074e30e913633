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
	folder := filepath.Join(c.data, "nodes", "older", "older-001")
	must(t, os.MkdirAll(folder, 0o700))
	must(t, os.WriteFile(filepath.Join(folder, "dump.rdb"), []byte("somebody's data"), 0o600))
	spec := c.spec("older", 0)
	spec.Snapshot = "evening"
	_, err := c.db.Clusters.Create(t.Context(), spec)
	must(t, err)
	c.manager.Wake()
	if failed := c.await("older", models.ClusterRestoreFailed); !strings.Contains(failed.StatusReason, "of an earlier cluster older") {
		t.Errorf("it failed with %q", failed.StatusReason)
	}
	must(t, c.db.Clusters.Delete(t.Context(), "older", models.DeleteSpec{RequestedBy: "test"}))
	c.manager.Wake()
	testkit.WaitFor(t, "the new cluster to be gone", func() bool {
		_, err := c.db.Clusters.Get(t.Context(), "older")
		return models.HasCode(err, models.CodeClusterNotFound)
	})
	if kept, err := os.ReadFile(filepath.Join(folder, "dump.rdb")); string(kept) != "somebody's data" {
		t.Errorf("the file has %q: %v", kept, err)
	}
}
