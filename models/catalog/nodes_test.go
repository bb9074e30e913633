package catalog

import (
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestReplacedDataIsALossAndWhatWasTakenOfItIsNotFromBefore(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster := launched(t, db, spec("orders"))
	clock.Advance(time.Hour)
	taken(t, db, "orders", "ours")
	clock.Advance(time.Hour)
	theirs := taken(t, db, "orders", "theirs")
	check(t, db.with(t.Context()).Model(&models.Part{}).Where("snapshot_id = ?", theirs.ID).UpdateColumn("replication_id", "foreign").Error)
	clock.Advance(time.Hour)
	check(t, db.Losses.Replaced(t.Context(), cluster.ID, "orders-001", "10.0.0.5:6379", "foreign"))

	cluster = must(db.Clusters.Get(t.Context(), "orders"))(t)
	const says = "The data of the cluster orders was replaced by that of another server before 2026-01-05 12:00:00 UTC: its primary orders-001 had been made a replica of 10.0.0.5:6379. " +
		"The newest good snapshot from before is ours: restore it into a new cluster to get the data back. It is kept until you delete it."
	if cluster.StatusReason != says {
		t.Errorf("the cluster says %q", cluster.StatusReason)
	}
	if losses := must(db.Schedule.aging(t.Context(), []models.Cluster{cluster}))(t)[cluster.ID].losses; len(losses) != 1 || !losses[0].Equal(theirs.CreatedAt) {
		t.Errorf("the losses are %v", losses)
	}
	if n := count(t, db, &models.Event{}, "severity = ? AND message LIKE ?", models.SeverityError, "The primary orders-001 was made a replica of 10.0.0.5:6379 by a REPLICAOF%is ours:%"); n != 1 {
		t.Errorf("%d events say so", n)
	}
	clock.Advance(time.Hour)
	taken(t, db, "orders", "seen")
	if cluster = must(db.Clusters.Get(t.Context(), "orders"))(t); cluster.StatusReason != "" || cluster.LossCause != "" {
		t.Errorf("after a snapshot by hand it still says %q", cluster.StatusReason)
	}
}

func TestLossOfARestoredClusterNamesTheSnapshotThatItCameFrom(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(db *DB)
		want   string
	}{
		"it is there": {func(*DB) {}, "There is no good snapshot of it from before. The one that it was restored from is still there, s1: restore it into a new cluster."},
		"it is damaged": {func(db *DB) {
			check(t, db.with(t.Context()).Model(&models.Snapshot{}).Where("name = 's1'").UpdateColumn("damage", "x").Error)
		}, "There is no good snapshot from before."},
		"it is gone": {func(db *DB) { check(t, db.Snapshots.RemoveRow(t.Context(), "s1")) }, "There is no good snapshot from before."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db, clock := catalog(t)
			launched(t, db, spec("orders"))
			taken(t, db, "orders", "s1")
			clock.Advance(time.Hour)
			restore := spec("copy")
			restore.Snapshot = "s1"
			cluster := launched(t, db, restore)
			if cluster.UnsavedFrom != "s1" {
				t.Errorf("it counts as saved: %q", cluster.UnsavedFrom)
			}
			clock.Advance(time.Hour)
			test.change(db)
			check(t, db.Losses.Emptied(t.Context(), cluster.ID, "copy-001"))
			cluster = must(db.Clusters.Get(t.Context(), "copy"))(t)
			if !strings.HasSuffix(cluster.StatusReason, test.want) || cluster.UnsavedFrom != "" {
				t.Errorf("it says %q, unsaved is %q", cluster.StatusReason, cluster.UnsavedFrom)
			}
		})
	}
}

func TestRefillTakesTheNewestGoodSnapshotAndHoldsIt(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "s1")
	restore := spec("copy")
	restore.Snapshot = "s1"
	cluster := launched(t, db, restore)
	begun := func(want string) models.Run {
		t.Helper()
		if !must(db.Losses.Refill(t.Context(), cluster.ID))(t) {
			t.Fatal("nothing was queued")
		}
		run := claim(t, db)
		if cluster = must(db.Clusters.Get(t.Context(), "copy"))(t); run.SnapshotName != want || run.Kind != models.RunRestore || cluster.Status != models.ClusterCreating {
			t.Fatalf("the cluster is %s, the run is a %s of %s", cluster.Status, run.Kind, run.SnapshotName)
		}
		if held := must(db.Snapshots.Get(t.Context(), want))(t); held.Status != models.SnapshotRestoring {
			t.Errorf("the snapshot is %s meanwhile", held.Status)
		}
		return run
	}
	for range 2 { // the second failure for the same reason is not said again
		check(t, db.Settle.Fail(t.Context(), begun("s1"), models.RunFailed, "The store is away."))
		cluster = must(db.Clusters.Get(t.Context(), "copy"))(t)
		if cluster.Status != models.ClusterUnreachable || !strings.HasSuffix(cluster.StatusReason, "filled again from s1. The store is away. It is tried again.") {
			t.Errorf("it is %s: %q", cluster.Status, cluster.StatusReason)
		}
		if free := must(db.Snapshots.Get(t.Context(), "s1"))(t); free.Status != models.SnapshotAvailable {
			t.Errorf("the snapshot is %s afterwards", free.Status)
		}
	}
	for what, want := range map[string]int{"%It is being filled again from s1%": 1, "%could not be filled again%": 1} {
		if n := count(t, db, &models.Event{}, "message LIKE ?", what); n != want {
			t.Errorf("%d events are like %s", n, what)
		}
	}
	check(t, db.Settle.Cluster(t.Context(), begun("s1"), "It is there."))
	clock.Advance(time.Hour)
	taken(t, db, "copy", "own")
	check(t, db.Settle.Cluster(t.Context(), begun("own"), "It is there."))
	must(db.Snapshots.Request(t.Context(), "copy", "busy", false, "admin"))(t)
	_, err := db.Losses.Refill(t.Context(), cluster.ID)
	refused(t, err, models.CodeClusterState)
	check(t, db.Settle.Fail(t.Context(), claim(t, db), models.RunFailed, "No."))
	check(t, db.Losses.Saved(t.Context(), cluster.ID))
	if must(db.Losses.Refill(t.Context(), cluster.ID))(t) {
		t.Error("a cluster that has saved its data is filled again")
	}
}

func TestDatabasesAreThoseOfTheCreationAndWhatTheDataNeeds(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	must(db.Parameters.Create(t.Context(), "many", testEngine.Family(), "Many databases", nil))(t)
	check(t, db.Parameters.Set(t.Context(), "many", map[string]string{"databases": "40", "timeout": "7"}))
	launched(t, db, spec("orders"))
	taken(t, db, "orders", "s1")
	for i, test := range []struct {
		group    string
		snapshot bool
		needed   int
		want     string
	}{
		{"", false, 0, ""}, {"many", false, 0, "40"}, {"", true, 16, ""}, {"", true, 21, "21"}, {"many", true, 21, "40"}, {"many", true, 50, "50"},
	} {
		s := spec("c" + string(rune('a'+i)))
		s.ParameterGroup = test.group
		if test.snapshot {
			s.Snapshot = "s1"
			check(t, db.with(t.Context()).Model(&models.Part{}).Where("true").UpdateColumn("databases", test.needed).Error)
		}
		cluster := must(db.Clusters.Create(t.Context(), s))(t)[0]
		if test.snapshot {
			cluster = must(db.Clusters.BeginRestore(t.Context(), cluster, "s1", models.DeadlinesKept))(t)
		}
		check(t, db.Settle.Cluster(t.Context(), claim(t, db), "It is there."))
		kept := must(db.Clusters.Get(t.Context(), s.Name))(t)
		if kept.Databases != cluster.Databases {
			t.Errorf("%v: %d databases are kept as %d", test, cluster.Databases, kept.Databases)
		}
		if got := must(db.Parameters.OfNodes(t.Context(), kept))(t); got["databases"] != test.want || test.group != "" && got["timeout"] != "7" {
			t.Errorf("%v: nodes start with %v", test, got)
		}
	}
	// As in ElastiCache it holds at the creation: with fewer a node would not load its own data.
	check(t, db.Parameters.Set(t.Context(), "many", map[string]string{"databases": "2"}))
	if got := must(db.Parameters.OfNodes(t.Context(), must(db.Clusters.Get(t.Context(), "cb"))(t)))(t); got["databases"] != "40" {
		t.Errorf("afterwards nodes start with %v", got)
	}
}

func TestPromoteAfterIsBoundedAndKept(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	if seconds := must(db.Settings.PromoteAfter(t.Context()))(t); seconds != models.DefaultPromoteAfter {
		t.Errorf("at first it is %d", seconds)
	}
	for _, wrong := range []int{-1, 1, 9, 3601} {
		refused(t, db.Settings.SavePromoteAfter(t.Context(), wrong), models.CodeInvalid)
	}
	for _, right := range []int{0, 10, 3600} {
		check(t, db.Settings.SavePromoteAfter(t.Context(), right))
		if seconds := must(db.Settings.PromoteAfter(t.Context()))(t); seconds != right {
			t.Errorf("%d is kept as %d", right, seconds)
		}
	}
	other, _ := catalog(t)
	chosen := must(db.Settings.Chosen(t.Context()))(t)
	if adopted := must(other.Settings.Adopt(t.Context(), chosen))(t); !adopted || must(other.Settings.PromoteAfter(t.Context()))(t) != 3600 {
		t.Errorf("a rebuild adopted it: %t", adopted)
	}
}

func TestNodesAreRelocatedToWhereTheirHostIsNow(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	host := db.host.(*fakeHost)
	host.more = []string{"127.0.0.2", "127.0.0.3"}
	wanted := spec("orders")
	wanted.Port, wanted.Replicas = 6379, 2
	orders := launched(t, db, wanted)
	other := launched(t, db, spec("other"))
	host.more, host.busy = nil, map[int]bool{7001: true}
	lost := []models.Node{orders.Nodes[1], orders.Nodes[2]}
	moved := must(db.Nodes.Relocate(t.Context(), orders, lost))(t)
	now := must(db.Clusters.Get(t.Context(), "orders"))(t)
	for i, n := range moved {
		if n.Host != "127.0.0.1" || n.Port == 6379 || n.Port == 7001 || n.Port == other.Nodes[0].Port || now.Nodes[i+1].Address() != n.Address() || n.Name != lost[i].Name {
			t.Errorf("%s is at %s, and %s in the catalog", n.Name, n.Address(), now.Nodes[i+1].Address())
		}
	}
	if moved[0].Address() == moved[1].Address() || now.Port != 6379 {
		t.Errorf("they are at %s and %s, the cluster has the port %d", moved[0].Address(), moved[1].Address(), now.Port)
	}
	says := "The endpoints of orders have changed, because its console was started with other addresses for nodes: orders-002 is at " + moved[0].Address() + " (before: " + lost[0].Address() + "), orders-003 is at " + moved[1].Address()
	if n := count(t, db, &models.Event{}, "cluster_name = 'orders' AND message LIKE ?", says+"%"); n != 1 {
		t.Errorf("%d events say so", n)
	}

	host.more = []string{"127.0.0.9"}
	host.busy = nil
	first := must(db.Nodes.Relocate(t.Context(), now, now.Nodes[:1]))(t)[0]
	if first.Address() != "127.0.0.9:6379" {
		t.Errorf("the first is at %s: its port is free at another address", first.Address())
	}
}

func TestEachNodeHasAPortOfItsOwnAtAnAnnouncedHost(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	host := db.host.(*fakeHost)
	host.more = []string{"127.0.0.2", "127.0.0.3"}
	wanted := spec("before")
	wanted.Port, wanted.Replicas = 6379, 1
	before := launched(t, db, wanted)

	told := must(db.Nodes.Announce(t.Context(), "redis.example", before.Nodes))(t)
	if told[0].Announced != "redis.example" || told[1].Announced != "" {
		t.Errorf("of two nodes with one port, these are announced: %q, %q", told[0].Announced, told[1].Announced)
	}
	check(t, db.Nodes.Announced(t.Context(), before, before.Nodes[:1], told[:1]))
	if now := must(db.Clusters.Get(t.Context(), "before"))(t); now.Nodes[0].Endpoint().String() != "redis.example:6379" || now.Nodes[0].Address() != before.Nodes[0].Address() || now.Nodes[1].Endpoint().String() != before.Nodes[1].Address() {
		t.Errorf("the endpoints are %s and %s", now.Nodes[0].Endpoint(), now.Nodes[1].Endpoint())
	}
	if n := count(t, db, &models.Event{}, "message LIKE ?", "The endpoints of before have changed%: before-001 is at redis.example:6379 (before: "+before.Nodes[0].Address()+")."); n != 1 {
		t.Errorf("%d events say so", n)
	}
	if again := must(db.Nodes.Announce(t.Context(), before.Nodes[0].Host, before.Nodes[:1]))(t); again[0].Announced != before.Nodes[0].Host {
		t.Errorf("a node's own address is announced as %q", again[0].Announced)
	}

	host.announced = "redis.example"
	wanted = spec("after")
	wanted.Port, wanted.Replicas = 6379, 1
	if _, err := db.Clusters.Create(t.Context(), wanted); !models.HasCode(err, models.CodeInvalid) {
		t.Errorf("a port that is another node's at the announced host: %v", err)
	}
	wanted.Port, wanted.Replicas = 6380, 3
	ports := map[int]bool{6379: true}
	for _, n := range launched(t, db, wanted).Nodes {
		if ports[n.Port] || n.Announced != "redis.example" {
			t.Errorf("%s is at %s, told as %s", n.Name, n.Address(), n.Endpoint())
		}
		ports[n.Port] = true
	}
}
