package web

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"rekindle/models"
)

func TestRebootingAsksWhichNodes(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.get("/clusters/orders").says("/clusters/orders/reboot")
	c.get("/clusters/nobody/reboot").is(http.StatusNotFound)
	c.get("/clusters/orders/reboot").is(http.StatusOK).says("While the primary orders-001 restarts, nothing can be written.", "for id in orders-001 orders-002; do",
		"aws elasticache reboot-cache-cluster", "aws elasticache wait cache-cluster-available")
	c.htmx(http.MethodGet, "/clusters/orders/reboot?choose=on&nodes=orders-002", nil).is(http.StatusOK).says("--cache-cluster-id orders-002").doesNotSay("for id in")
	c.htmx(http.MethodGet, "/clusters/orders/reboot?choose=on", nil).is(http.StatusOK).doesNotSay("reboot-cache-cluster")

	c.post("/clusters/orders/reboot").is(http.StatusUnprocessableEntity).says("Choose the nodes that are to be restarted.").hasErrorAt("nodes")
	c.post("/clusters/orders/reboot", "nodes", "orders-002", "nodes", "other-001").is(http.StatusUnprocessableEntity).says("The cluster orders has no node other-001.").hasErrorAt("nodes")
	c.post("/clusters/nobody/reboot", "nodes", "orders-001").is(http.StatusNotFound)
	if n := c.jobs.woken.Load(); n != 0 {
		t.Errorf("the jobs were woken %d times for nothing", n)
	}
	c.post("/clusters/orders/reboot", "nodes", "orders-002").redirects("/clusters/orders")
	c.get("/clusters/orders").says("Rebooting", "Reboot orders-002 of orders", "The cluster orders is rebooting cluster nodes; a snapshot can be taken when it is available.", ` data-work`)
	c.get("/clusters").says("Rebooting cluster nodes", ` data-work`)
	c.get("/clusters?status=rebooting+cluster+nodes").says(">orders<")
	c.get("/runs?kind=reboot").says("Reboot orders-002 of orders", ">Reboot<")
	c.get("/clusters/orders/reboot").is(http.StatusOK).says("The cluster orders is rebooting cluster nodes; its nodes can be restarted when it is available.")
	c.post("/clusters/orders/reboot", "nodes", "orders-001").is(http.StatusUnprocessableEntity).says("its nodes can be restarted when it is available")
	run := c.claim()
	if args, err := models.Args[models.RebootArgs](run); err != nil || !slices.Equal(args.Nodes, []string{"orders-002"}) || run.RequestedBy != "admin" {
		t.Errorf("%+v, %+v (%v)", run, args, err)
	}
	if c.jobs.woken.Load() != 1 {
		t.Error("the jobs were not woken once")
	}
	c.check(c.db.Settle.Cluster(t.Context(), run, "Nodes of orders were restarted: orders-002."))
	c.post("/clusters/orders/reboot", "nodes", "orders-001", "nodes", "orders-002").redirects("/clusters/orders")
	c.get("/runs").says("Reboot 2 nodes of orders")
}

func TestAFailoverIsTriedWhereAReplicaCanTakeOver(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	orders := c.launch("orders")
	c.launch("quiet", func(s *models.ClusterSpec) { s.Replicas = 0 })
	c.launch("lonely", single)
	c.launch("sessions", cache)
	for _, name := range []string{"quiet", "lonely", "sessions"} {
		c.get("/clusters/" + name).doesNotSay("/failover")
		c.get("/clusters/" + name + "/failover").is(http.StatusConflict).says("no replica")
		c.post("/clusters/" + name + "/failover").is(http.StatusConflict).says("no replica")
	}
	c.get("/clusters/nobody/failover").is(http.StatusNotFound)
	c.post("/clusters/nobody/failover").is(http.StatusNotFound)
	primary, _ := orders.Shards()[0].Primary()
	c.get("/clusters/orders").says("/clusters/orders/failover")
	c.get("/clusters/orders/failover").is(http.StatusOK).says("The replica orders-002 takes over from orders-001", primary.Address(), "aws elasticache test-failover", "--node-group-id 0001")
	c.post("/clusters/orders/failover").redirects("/clusters/orders")
	c.get("/clusters/orders").says("Modifying", "Fail over orders").doesNotSay("is taking over", "/clusters/orders/failover", "/clusters/orders/reboot")
	c.get("/runs?kind=failover").says("Fail over orders", ">Failover<")
	c.get("/clusters/orders/failover").says("The cluster orders is modifying; a failover can be tried when it is available.")
	c.post("/clusters/orders/failover").is(http.StatusUnprocessableEntity).says("a failover can be tried when it is available")
	if run := c.claim(); run.Kind != models.RunFailover || run.RequestedBy != "admin" {
		t.Errorf("%+v", run)
	}
	if c.jobs.woken.Load() != 1 {
		t.Error("the jobs were not woken once")
	}
}

func TestAFailedRestartOrFailoverIsNotCalledAChange(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ ask, cluster, event string }{
		"restart":  {"reboot", "The last restart of nodes did not succeed. It broke.", "Nodes of the cluster orders could not be restarted. It broke."},
		"failover": {"failover", "The last failover did not succeed. It broke.", "The failover of the cluster orders did not succeed. It broke."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := signedIn(t)
			c.launch("orders")
			c.post("/clusters/orders/"+test.ask, "nodes", "orders-002").redirects("/clusters/orders")
			run := c.claim()
			c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "It broke."))
			c.get("/clusters/orders").says(test.cluster).doesNotSay("could not be modified", "last change")
			c.get(fmt.Sprintf("/runs/%d", run.ID)).says("It broke.", test.event).doesNotSay("could not be modified")
			c.get("/events").says(test.event).doesNotSay("could not be modified")
		})
	}
}
