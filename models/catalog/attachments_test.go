package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"rekindle/internal/secret"
	"rekindle/models"
)

// foundAt is one shard whose nodes are at these addresses, the primary first.
func foundAt(addresses ...string) models.Found {
	shard := models.FoundShard{}
	for i, address := range addresses {
		role := models.RoleReplica
		if i == 0 {
			role = models.RolePrimary
		}
		shard.Nodes = append(shard.Nodes, models.FoundNode{Address: address, Role: role, State: "available", Keys: 7, UsedMemory: 5 << 20, Answers: true})
	}
	return models.Found{Topology: "replicated", Engine: models.Engine{Name: "redis", Version: "7.0.15"}, Shards: []models.FoundShard{shard}}
}

func attachSpec(name string) models.AttachSpec {
	return models.AttachSpec{Name: name, Access: models.Access{Addresses: models.Lines{"10.0.0.1"}, Username: "backup", SentinelPassword: "watched"}, Password: "s3cret", Retention: 7, RequestedBy: "admin"}
}

func TestAClusterIsAttachedAsItWasFound(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := must(db.Attachments.Attach(t.Context(), attachSpec("Orders"), foundAt("10.0.0.1:6379", "10.0.0.2:6379")))(t)
	a := cluster.Attachment
	if cluster.Name != "orders" || !cluster.Attached() || cluster.Status != models.ClusterAvailable || cluster.Home != "" || cluster.Password.Reveal() != "s3cret" || len(cluster.Nodes) != 2 {
		t.Errorf("attached %+v", cluster)
	}
	if a == nil || !slices.Equal(a.Addresses, models.Lines{"10.0.0.1:6379"}) || a.Username != "backup" || a.SentinelPassword.Reveal() != "watched" || a.Topology != "replicated" || a.Since != nil {
		t.Errorf("reached by %+v", a)
	}
	if n := count(t, db, &models.Event{}, "message LIKE ?", "%was attached by admin%"); n != 1 {
		t.Errorf("%d events", n)
	}

	before := content(t, db)
	if faults := refused(t, second(db.Attachments.Attach(t.Context(), attachSpec("orders"), foundAt("10.0.0.9:6379"))), models.CodeClusterExists); faults[0].Field != "id" {
		t.Errorf("the name again: %v", faults)
	}
	if faults := refused(t, second(db.Attachments.Attach(t.Context(), attachSpec("parcels"), foundAt("10.0.0.9:6379", "10.0.0.2:6379"))), models.CodeClusterExists); !strings.Contains(faults.Error(), "already belongs to the cluster orders") {
		t.Errorf("a node again: %v", faults)
	}
	bad := attachSpec("-")
	bad.Addresses, bad.Retention = models.Lines{"no address"}, 99
	if faults := refused(t, second(db.Attachments.Attach(t.Context(), bad, foundAt("10.0.0.9:6379"))), models.CodeInvalid); len(faults) != 3 {
		t.Errorf("all that is wrong: %v", faults)
	}
	if content(t, db) != before {
		t.Error("a refusal has changed the catalog")
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatAnAttachedClusterIsIsFollowedOnce(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	cluster := must(db.Attachments.Attach(t.Context(), attachSpec("orders"), foundAt("10.0.0.1:6379", "10.0.0.2:6379")))(t)
	follow := func(found models.Found) {
		t.Helper()
		for _, err := range atOnce(3, func(int) error { return db.Attachments.Follow(t.Context(), cluster, found) }) {
			check(t, err)
		}
		cluster = must(db.Clusters.Get(t.Context(), "orders"))(t)
	}
	is := func(want ...string) {
		t.Helper()
		var got []string
		for _, n := range cluster.Nodes {
			got = append(got, fmt.Sprintf("%s %s %s", n.Name, n.Role, n.Address()))
		}
		if !slices.Equal(got, want) {
			t.Errorf("nodes %q, want %q", got, want)
		}
	}
	follow(foundAt("10.0.0.2:6379", "10.0.0.1:6379", "10.0.0.3:6379"))
	is("orders-001 replica 10.0.0.1:6379", "orders-002 primary 10.0.0.2:6379", "orders-003 replica 10.0.0.3:6379")
	if n := count(t, db, &models.Event{}, "message LIKE ? OR message LIKE ?", "%is the primary now%", "%has joined orders as a replica%"); n != 2 {
		t.Errorf("%d events of a failover and a replica that came, followed three times at once", n)
	}
	if cluster.Replicas != 2 {
		t.Errorf("%d replicas", cluster.Replicas)
	}

	// In cluster mode two nodes may have exchanged their addresses.
	swapped := func(one, other string) models.Found {
		f := foundAt(one, other)
		f.Shards[0].Nodes[0].Ident, f.Shards[0].Nodes[1].Ident = "one", "other"
		return f
	}
	follow(swapped("10.0.0.2:6379", "10.0.0.3:6379"))
	follow(swapped("10.0.0.3:6379", "10.0.0.2:6379"))
	is("orders-002 primary 10.0.0.3:6379", "orders-003 replica 10.0.0.2:6379")

	clock.Advance(time.Minute)
	check(t, db.Attachments.Unreached(t.Context(), cluster, "No answer.", nil))
	clock.Advance(time.Minute)
	check(t, db.Attachments.Unreached(t.Context(), cluster, "Still no answer.", nil))
	cluster = must(db.Clusters.Get(t.Context(), "orders"))(t)
	if since := cluster.Attachment.Since; cluster.Status != models.ClusterUnreachable || cluster.StatusReason != "Still no answer." || since == nil || !since.Equal(db.Now().Add(-time.Minute)) {
		t.Errorf("it is %s since %v: %s", cluster.Status, since, cluster.StatusReason)
	}
	follow(swapped("10.0.0.3:6379", "10.0.0.2:6379"))
	if cluster.Status != models.ClusterAvailable || cluster.Attachment.Since != nil {
		t.Errorf("it is %s since %v", cluster.Status, cluster.Attachment.Since)
	}
	for message, want := range map[string]int{"%is unreachable. No answer.": 1, "%Still no answer.": 0, "%answers again%": 1} {
		if n := count(t, db, &models.Event{}, "message LIKE ?", message); n != want {
			t.Errorf("%d events %q, want %d", n, message, want)
		}
	}
}

func TestALookThatFindsNothingNewTakesNoQuery(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	found := foundAt("10.0.0.1:6379", "10.0.0.2:6379")
	cluster := must(db.Attachments.Attach(t.Context(), attachSpec("orders"), found))(t)
	check(t, db.Close())
	check(t, db.Attachments.Follow(t.Context(), cluster, found))
	found.Shards[0].Nodes[1].State = "loading"
	if err := db.Attachments.Follow(t.Context(), cluster, found); err == nil {
		t.Error("what is new was not written down, and nobody is told")
	}
}

func TestHowAClusterIsReachedIsChangedWithItsNodes(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := must(db.Attachments.Attach(t.Context(), attachSpec("orders"), foundAt("10.0.0.1:6379")))(t)
	check(t, db.Attachments.Unreached(t.Context(), cluster, "No answer.", nil))
	before := cluster
	check(t, db.Attachments.Change(t.Context(), "orders", models.Access{Addresses: models.Lines{"10.0.9.1:7000"}}, secret.Text("other"), "admin", foundAt("10.0.9.1:7000")))
	// Looks that began before say nothing about the cluster as it is reached now.
	check(t, db.Attachments.Unreached(t.Context(), before, "The nodes require a password.", nil))
	check(t, db.Attachments.Follow(t.Context(), before, foundAt("10.0.0.1:6379")))
	cluster = must(db.Clusters.Get(t.Context(), "orders"))(t)
	if cluster.Status != models.ClusterAvailable || cluster.Nodes[0].Address() != "10.0.9.1:7000" || cluster.Attachment.Username != "" || cluster.Password.Reveal() != "other" {
		t.Errorf("changed to %+v, %+v", cluster, cluster.Attachment)
	}
	launched(t, db, spec("here"))
	refused(t, db.Attachments.Change(t.Context(), "here", models.Access{Addresses: models.Lines{"10.0.9.1:7000"}}, "", "admin", foundAt("10.0.9.1:7000")), models.CodeClusterState)
}

func TestADetachedClusterLeavesItsSnapshotsWhereThatWasChosen(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	cluster := must(db.Attachments.Attach(t.Context(), attachSpec("orders"), foundAt("10.0.0.1:6379")))(t)
	taken(t, db, "orders", "by-hand")
	check(t, db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{KeepAutomatic: true, RequestedBy: "admin"}))
	run := claim(t, db)
	if !must(models.Args[models.DeleteArgs](run))(t).KeepAutomatic {
		t.Errorf("the run is told %s", run.Options)
	}
	check(t, db.Settle.ClusterDeletion(t.Context(), run))
	if n := count(t, db, &models.Attachment{}) + count(t, db, &models.Node{}, "cluster_id = ?", cluster.ID); n != 0 {
		t.Errorf("%d rows remain", n)
	}
	if n := count(t, db, &models.Event{}, "message LIKE ?", "%was detached; its nodes run on%"); n != 1 {
		t.Errorf("%d events", n)
	}
	must(db.Attachments.Attach(t.Context(), attachSpec("orders"), foundAt("10.0.0.1:6379")))(t)
}

// The window of a cluster that is out of reach stays due until it closes.
func TestTheWindowsSnapshotIsTriedAgainWhenTheClusterIsBack(t *testing.T) {
	t.Parallel()
	db, clock := catalog(t)
	spec := attachSpec("orders")
	spec.Window = models.Window{Start: 11 * 60, Length: 60} // the clock stands at 10:00
	cluster := must(db.Attachments.Attach(t.Context(), spec, foundAt("10.0.0.1:6379")))(t)
	check(t, db.Attachments.Unreached(t.Context(), cluster, "No answer.", nil))
	clock.Advance(61 * time.Minute)
	for range 30 {
		if n := must(db.Schedule.QueueDue(t.Context()))(t); n != 0 {
			t.Fatalf("%d snapshots of a cluster that is out of reach", n)
		}
		clock.Advance(time.Minute)
	}
	check(t, db.Attachments.Follow(t.Context(), cluster, foundAt("10.0.0.1:6379")))
	queued := 0
	for range 28 {
		queued += must(db.Schedule.QueueDue(t.Context()))(t)
		clock.Advance(time.Minute)
	}
	if queued != 1 {
		t.Errorf("%d snapshots in the rest of its window", queued)
	}
	if n := count(t, db, &models.Event{}, "message LIKE ?", "%No automatic snapshot%"); n != 0 {
		t.Errorf("%d events say that it was missed", n)
	}
}

func TestAClusterIsDeclaredAndReleased(t *testing.T) {
	t.Parallel()
	db, _ := catalog(t)
	spec := attachSpec("orders")
	spec.Declared, spec.RequestedBy = "clusters.yaml", models.ByClustersFile
	cluster := must(db.Attachments.Attach(t.Context(), spec, foundAt("10.0.0.1:6379")))(t)
	if cluster.Declared != "clusters.yaml" {
		t.Errorf("declared in %q", cluster.Declared)
	}
	days := 3
	before := content(t, db)
	for name, err := range map[string]error{
		"schedule": second(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &days, RequestedBy: "admin"})),
		"access":   db.Attachments.Change(t.Context(), "orders", spec.Access, "other", "admin", foundAt("10.0.0.1:6379")),
		"deletion": db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{RequestedBy: "admin"}),
		"final":    db.Clusters.Delete(t.Context(), "orders", models.DeleteSpec{FinalSnapshot: "last", RequestedBy: "admin"}),
	} {
		if faults := refused(t, err, models.CodeClusterState); !strings.Contains(faults.Error(), "comes from the clusters file clusters.yaml") {
			t.Errorf("%s: %v", name, faults)
		}
	}
	check(t, db.Attachments.Declare(t.Context(), "orders", "clusters.yaml"))
	if content(t, db) != before {
		t.Error("a refusal has changed the catalog, or what is so already")
	}
	must(db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Retention: &days, RequestedBy: models.ByClustersFile}))(t)
	check(t, db.Attachments.Change(t.Context(), "orders", spec.Access, "other", models.ByClustersFile, foundAt("10.0.0.1:6379")))
	must(db.Snapshots.Take(t.Context(), models.SnapshotSpec{Cluster: "orders", Name: "first", RequestedBy: "admin"}))(t)

	check(t, db.Attachments.Declare(t.Context(), "orders", ""))
	if n := count(t, db, &models.Event{}, "message LIKE ?", "%is no longer in the clusters file clusters.yaml.%"); n != 1 {
		t.Errorf("%d events of the release", n)
	}
	cluster = must(db.Clusters.Get(t.Context(), "orders"))(t)
	if cluster.Declared != "" || cluster.RetentionLimit != 3 || cluster.Password != "other" {
		t.Errorf("released: %+v", cluster)
	}
	check(t, db.Attachments.Declare(t.Context(), "orders", "other.yaml"))
	if n := count(t, db, &models.Event{}, "message LIKE ?", "%is declared in the clusters file other.yaml,%"); n != 1 {
		t.Errorf("%d events of the adoption", n)
	}
	refused(t, db.Attachments.Declare(t.Context(), "none", "clusters.yaml"), models.CodeClusterNotFound)
}
