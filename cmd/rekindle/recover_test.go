package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticache"

	"rekindle/internal/archive"
	"rekindle/internal/journal"
	follower "rekindle/internal/replica"
	"rekindle/internal/resp"
	"rekindle/internal/store/dir"
	"rekindle/internal/testkit"
)

// A script undoes FLUSHALL. The console is killed in the middle of it, and goes on when it is back.
func TestAScriptRecoversAClusterToAMoment(t *testing.T) {
	t.Parallel()
	a := newAPIConsole(t)
	must(a.sdk.CreateReplicationGroup(t.Context(), &elasticache.CreateReplicationGroupInput{ReplicationGroupId: aws.String("orders"), ReplicationGroupDescription: aws.String("the orders"),
		CacheNodeType: aws.String("cache.t4g.micro"), NumCacheClusters: aws.Int32(1)}))(t)
	endpoint := primaryOf(a.group("orders"))
	app := a.redis(endpoint, "")
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	testkit.Fill(t, app, 200)
	for i := range 16 { // so that there is something to be killed in
		noise := make([]byte, 1<<20)
		_, _ = rand.NewChaCha8([32]byte{byte(i)}).Read(noise)
		ok(app.Set(t.Context(), fmt.Sprintf("noise:%d", i), noise, 0).Err())
	}
	a.succeeds("backup", "now", "orders", "--name", "base", "--wait")
	st := must(dir.Open(filepath.Join(a.data, "snapshots")))(t)
	t.Cleanup(func() { _ = st.Close() })
	part := must(archive.New(st).Manifest(t.Context(), archive.Ref{Cluster: "orders", Snapshot: "base"}))(t).Parts[0]
	source := follower.Source{Options: resp.Options{Addr: fmt.Sprintf("%s:%d", aws.ToString(endpoint.Address), aws.ToInt32(endpoint.Port))}}
	ctx, cancel := context.WithCancel(context.Background())
	link := must(follower.Follow(ctx, source, follower.At{ReplicationID: part.ReplicationID, Offset: part.ReplicationOffset}, follower.Options{}))(t)
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		_ = journal.Record(ctx, link, st, journal.Place{Cluster: "orders", Shard: 1}, journal.NewRun(), journal.RecorderOptions{Every: 200 * time.Millisecond})
	}()
	t.Cleanup(func() { cancel(); <-recorded })

	ok(app.Set(t.Context(), "last", "order", 0).Err())
	written := resp.ParseInfo(app.Info(t.Context(), "replication").Val()).Int("master_repl_offset")
	stored := func(is func(journal.Segment) bool) func() bool {
		return func() bool {
			for s, err := range journal.List(t.Context(), st, "orders", time.Time{}) {
				if err == nil && is(s) {
					return true
				}
			}
			return false
		}
	}
	testkit.WaitFor(t, "the journal to have what was written", stored(func(s journal.Segment) bool { return s.To >= written }))
	moment := time.Now().Truncate(time.Second).Add(time.Second)
	testkit.WaitFor(t, "the next second", func() bool { return time.Since(moment) > 50*time.Millisecond })
	want := testkit.Digests(t, app)
	ok(app.FlushAll(t.Context()).Err())
	testkit.WaitFor(t, "the journal", stored(func(s journal.Segment) bool { return s.End.After(moment) }))
	to := moment.UTC().Format(time.RFC3339)

	if code, _, stderr := a.command("recover", "orders", "--to", "2020-01-01T00:00:00Z", "--as", "early", "--wait"); code != exitFailed || !strings.HasPrefix(stderr, "rekindle: There is no snapshot of orders from before 2020-01-01 00:00:00 UTC") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
	for what, args := range map[string][]string{"say which cluster": {"recover", "--to", to, "--as", "x"}, "say what the snapshot is called": {"recover", "orders", "--to", to},
		"--to must be a moment":                                   {"recover", "orders", "--to", "noon", "--as", "x"},
		"make either a snapshot (--as) or a new cluster (--into)": {"recover", "orders", "--to", to, "--as", "x", "--into", "y"},
		"are about a new cluster":                                 {"recover", "orders", "--to", to, "--as", "x", "--replicas", "1"},
		"--replicas must be a number":                             {"recover", "orders", "--to", to, "--into", "x", "--replicas", "all"}} {
		if code, _, stderr := a.command(args...); code != exitUsage || !strings.Contains(stderr, what) {
			t.Errorf("%v ended with %d: %s", args, code, stderr)
		}
	}
	if code, _, stderr := a.command("recover", "orders", "--to", "2099-01-01T00:00:00Z", "--as", "x"); code != exitFailed || !strings.Contains(stderr, "That moment is still to come") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}

	if s := a.json("recover", "orders", "--to", to, "--as", "back").Snapshot; s.Name != "back" || s.Cluster != "orders" {
		t.Errorf("%+v", s)
	}
	testkit.WaitFor(t, "the node that is brought to the moment", func() bool {
		nodes, err := filepath.Glob(filepath.Join(a.data, nodesFolder, "0-recover-*", "*", "node.json"))
		found, _ := a.sdk.DescribeSnapshots(t.Context(), &elasticache.DescribeSnapshotsInput{SnapshotName: aws.String("back")})
		return err == nil && len(nodes) > 0 || found != nil && aws.ToString(found.Snapshots[0].SnapshotStatus) == available // it may be faster than the kill
	})
	a.kill()
	a.start()
	a.connect()
	a.snapshot("back")
	if left, err := filepath.Glob(filepath.Join(a.data, nodesFolder, "0-*")); err != nil || len(left) != 0 {
		t.Errorf("nodes are left: %v, %v", left, err)
	}
	a.succeeds("restore", "back", "--as", "again", "--wait")
	if diff := testkit.Diff(want, testkit.Digests(t, a.redis(primaryOf(a.group("again")), ""))); diff != "" {
		t.Error(diff)
	}
	if printed := a.succeeds("recover", "orders", "--to", to, "--as", "twice", "--wait"); printed != "twice\n" {
		t.Errorf("it prints %q", printed)
	}

	if printed := a.succeeds("recover", "orders", "--to", to, "--into", "straight", "--node-type", "cache.t4g.small", "--wait"); printed != "straight\n" {
		t.Errorf("it prints %q", printed)
	}
	if diff := testkit.Diff(want, testkit.Digests(t, a.redis(primaryOf(a.group("straight")), ""))); diff != "" {
		t.Error(diff)
	}
	if c := a.json("recover", "orders", "--to", to, "--into", "with-replica", "--replicas", "1").Cluster; c.Name != "with-replica" || c.Status != "creating" {
		t.Errorf("%+v", c)
	}
	testkit.WaitFor(t, "the node that is fed", func() bool {
		nodes, err := filepath.Glob(filepath.Join(a.data, nodesFolder, "with-replica", "*", "node.json"))
		return err == nil && len(nodes) > 0
	})
	a.kill()
	a.start()
	a.connect()
	if diff := testkit.Diff(want, testkit.Digests(t, a.redis(primaryOf(a.group("with-replica")), ""))); diff != "" {
		t.Errorf("after a kill in the middle: %s", diff)
	}
	if code, _, stderr := a.command("recover", "orders", "--to", "2020-01-01T00:00:00Z", "--into", "early", "--wait"); code != exitFailed ||
		!strings.HasPrefix(stderr, "rekindle: The cluster early could not be restored straight from orders as it was at 2020-01-01 00:00:00 UTC. There is no snapshot of orders from before") {
		t.Errorf("it ended with %d: %s", code, stderr)
	}
}
