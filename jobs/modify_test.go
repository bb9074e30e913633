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
	cluster, err := c.db.ModifyCluster(t.Context(), "orders", models.ModifySpec{Replicas: &one})
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
