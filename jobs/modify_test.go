package jobs_test

import (
	"net"
	"testing"

	"github.com/jonboulle/clockwork"

	"rekindle/internal/testkit"
	"rekindle/models"
)

func TestANewReplicaWhosePortIsTakenMeanwhileGetsAnotherAddress(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	source := c.primary(c.create(c.spec("orders", 0))[0])
	testkit.Fill(t, source, 50)
	one := 1
	cluster, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Replicas: &one})
	must(t, err)
	taken := cluster.Nodes[1]
	listener, err := net.Listen("tcp", taken.Address()) // between the choice of the endpoint and the start of the node
	must(t, err)
	defer listener.Close()
	c.manager.Wake()
	cluster = c.await("orders", models.ClusterAvailable)
	if cluster.StatusReason != "" || cluster.Nodes[1].Host == taken.Host || cluster.Nodes[1].Port != taken.Port {
		t.Fatalf("it is %s (%s), and the replica is at %s", cluster.Status, cluster.StatusReason, cluster.Nodes[1].Address())
	}
	if testkit.Fingerprint(t, c.client(cluster, cluster.Nodes[1])) != testkit.Fingerprint(t, source) {
		t.Error("the replica holds other data")
	}
}

// The replica that was to go has become the primary before the change began.
func TestModifyDoesNotTakeAReplicaThatIsThePrimaryMeanwhile(t *testing.T) {
	t.Parallel()
	c := newConsole(t, clockwork.NewRealClock())
	cluster := c.create(c.spec("orders", 1))[0]
	source := c.primary(cluster)
	testkit.Fill(t, source, 50)
	want := testkit.Fingerprint(t, source)
	cluster = c.awaitNodes("orders")
	must(t, source.Wait(t.Context(), 1, 0).Err())
	c.stop()
	none := 0
	_, err := c.db.Changes.Modify(t.Context(), "orders", models.ModifySpec{Replicas: &none})
	must(t, err)
	must(t, c.db.Nodes.Promote(t.Context(), cluster.ID, cluster.Nodes[1]))
	must(t, c.client(cluster, cluster.Nodes[1]).Do(t.Context(), "REPLICAOF", "NO", "ONE").Err())
	c.start()
	cluster = c.await("orders", models.ClusterAvailable)
	if primary, _ := cluster.Shards()[0].Primary(); primary.Name != "orders-002" {
		t.Fatalf("the primary is %q of %+v", primary.Name, cluster.Nodes)
	}
	if running, err := c.nodes.Running(t.Context(), "orders", "orders-002"); err != nil || !running {
		t.Fatalf("the primary runs: %t, %v", running, err)
	}
	if testkit.Fingerprint(t, c.primary(cluster)) != want {
		t.Error("the primary has other data")
	}
	if running, err := c.nodes.Running(t.Context(), "orders", "orders-001"); err != nil || running || len(cluster.Nodes) != 1 {
		t.Errorf("a replica is left though none was wanted: %t, %v, %d nodes", running, err, len(cluster.Nodes))
	}
}
