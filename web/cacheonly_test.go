package web

import (
	"net/http"
	"testing"
	"time"

	"rekindle/models"
)

func TestAClusterOfMemcachedHasNothingToBackUp(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	sessions := c.launch("sessions", cache)
	seen := c.clock.Now().UTC()
	for i, node := range sessions.Nodes {
		node.State, node.UsedMemory, node.Keys, node.SeenAt = "available", int64(i+1)<<20, 10, &seen
		c.check(c.db.Nodes.Seen(t.Context(), node))
	}
	const refusal = "whose nodes only cache: it cannot be backed up"
	first := sessions.Nodes[0].Address()
	c.get("/clusters/sessions").is(http.StatusOK).says(refusal, "Memcached 1.6.18", "Endpoint of the first node", first, "3 nodes", "sessions-003", "Cache",
		"6.3 MB", "/clusters/sessions/reboot", "aws elasticache describe-cache-clusters", "--show-cache-node-info").
		doesNotSay("Primary endpoint", "Take snapshot", "Restore from", "tab=snapshots", "/failover", "Lag", "replica")
	c.get("/clusters/sessions?tab=connect").is(http.StatusOK).says("pymemcache", "version", first+","+sessions.Nodes[1].Address()+","+sessions.Nodes[2].Address()).
		doesNotSay("redis")
	for _, tab := range []string{"snapshots", "events"} {
		c.get("/clusters/sessions?tab=" + tab).is(http.StatusOK)
	}
	c.get("/clusters").says("Nothing to back up").doesNotSay("/clusters/sessions/snapshot")
	c.get("/clusters?engine=memcached").says(">sessions<").doesNotSay(">orders<")
	c.get("/").says("Yes: the cluster can be restored.", "Nothing to back up").doesNotSay("/clusters/sessions/snapshot")

	// Nothing offers it for a snapshot, and who asks all the same is refused in words.
	for _, address := range []string{"/snapshots/-/new", "/snapshots", "/snapshots/-/import", "/clusters/-/new"} {
		c.get(address).is(http.StatusOK).doesNotSay("sessions", "emcached")
	}
	c.get("/clusters/sessions/snapshot").is(http.StatusOK).says(refusal)
	c.post("/clusters/sessions/snapshot", "name", "x").is(http.StatusUnprocessableEntity).says(refusal)
	c.post("/snapshots/-/new", "cluster", "sessions", "name", "x").is(http.StatusUnprocessableEntity).says(refusal)
	c.postForm("/clusters/-/new", with(good, "id", "other", "engine", "memcached/1.6.18")).is(http.StatusUnprocessableEntity)

	c.get("/clusters/sessions/reboot").is(http.StatusOK).says("what they hold is lost", "--cache-cluster-id sessions", "0001 0002 0003")
	c.get("/clusters/sessions/delete").is(http.StatusOK).says("3 nodes with everything that they cache (30 keys)", refusal, "aws elasticache delete-cache-cluster").
		doesNotSay("final snapshot", "The schedule")
	c.post("/clusters/sessions/delete", "confirm", "sessions").redirects("/clusters")
}

func TestWithCachesOnlyThereIsNothingToBringBack(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("sessions", cache)
	c.get("/").is(http.StatusOK).says("There is nothing to restore.")
	c.clock.Advance(11 * time.Hour)
	c.get("/").doesNotSay("Overdue", "behind schedule")
}

func TestOfACacheClusterOnlyThatCanBeModifiedWhatItHas(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("sessions", cache)
	c.get("/clusters/sessions/modify").is(http.StatusOK).says("Description", "cannot be changed", "3 nodes of").
		doesNotSay(`name="replicas"`, `name="node_type"`, `name="backups"`, "Next snapshot")
	c.htmx(http.MethodPost, "/clusters/sessions/summary", fields("description", "of the shop")).is(http.StatusOK).says("The description changes.", "describe-cache-clusters")
	c.post("/clusters/sessions/modify", "description", "of the shop").redirects("/clusters/sessions")
	if after := c.find("sessions"); after.Description != "of the shop" || after.Status != models.ClusterAvailable || len(after.Nodes) != 3 || after.Backups() {
		t.Errorf("%+v", after)
	}
	c.post("/clusters/sessions/modify", "description", "of the shop").redirects("/clusters/sessions")
	c.get("/clusters/sessions").says("Nothing was changed")
	for field, one := range map[string][2]string{
		"replicas": {"2", "which has no replicas"}, "node_type": {"cache.t4g.small", "The node type of a memcached cluster cannot be changed"}, "backups": {"on", "Enter the number of days"},
	} {
		c.post("/clusters/sessions/modify", "description", "other", field, one[0]).is(http.StatusUnprocessableEntity).says(one[1])
	}
	c.post("/clusters/sessions/modify", "backups", "on", "retention", "7").is(http.StatusUnprocessableEntity).says("cannot be backed up")

	before := c.launch("lonely", single)
	c.get("/clusters/lonely/modify").is(http.StatusOK).says("This is a cache cluster, which has no replicas.", " disabled")
	c.get("/clusters/lonely").says("describe-cache-clusters", "Take snapshot")
	form := modifyForm(before)
	form.Del("replicas") // as a browser leaves out a field that is off
	c.postForm("/clusters/lonely/modify", with(form, "retention", "3")).redirects("/clusters/lonely")
	if after := c.find("lonely"); after.RetentionLimit != 3 || after.Replicas != 0 {
		t.Errorf("%+v", after)
	}
	c.postForm("/clusters/lonely/modify", with(form, "replicas", "1")).is(http.StatusUnprocessableEntity).says("is a cache cluster, which has no replicas").hasErrorAt("replicas")
	c.get("/clusters/lonely/snapshot").says("--cache-cluster-id lonely")
}
