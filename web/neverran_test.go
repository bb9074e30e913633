package web

import (
	"net/http"
	"strings"
	"testing"

	"rekindle/models"
)

// failRestore lets a restore of the snapshot into a new cluster fail.
func (c *console) failRestore(name, snapshot string) {
	c.t.Helper()
	_, err := c.db.Clusters.Create(c.t.Context(), models.ClusterSpec{Name: name, Engine: models.Engine{Name: "redis", Version: "7.0.15"}, NodeType: "cache.t4g.micro",
		Replicas: 1, Auth: models.AuthGenerate, Retention: 7, Snapshot: snapshot, RequestedBy: "admin"})
	c.check(err)
	c.check(c.db.Settle.Fail(c.t.Context(), c.claim(), models.RunFailed, "The port was taken."))
}

func TestAClusterThatNeverCameUpSaysSo(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.failRestore("copy", "first")
	_, err := c.db.Clusters.Create(t.Context(), models.ClusterSpec{Name: "plain", Engine: models.Engine{Name: "redis", Version: "7.0.15"}, NodeType: "cache.t4g.micro", Retention: 7})
	c.check(err)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The port was taken."))

	for _, name := range []string{"copy", "plain"} {
		endpoint := c.find(name).Nodes[0].Address()
		for _, page := range []string{"/clusters/" + name, "/clusters/" + name + "?tab=connect"} {
			c.get(page).is(http.StatusOK).says("The port was taken.", "Its nodes are gone", "The nodes are gone", "Delete this cluster").
				doesNotSay("Starting", endpoint, `href="/clusters/`+name+`?tab=connect"`, "/clusters/"+name+"/modify", "/clusters/"+name+"/snapshot", "Snapshot schedule", "Next:", "redis-cli", "Memory used")
		}
		row := c.get("/clusters?q=" + name).says("its nodes are gone").body
		if strings.Contains(row, "/clusters/"+name+"/modify") || strings.Contains(row, "/clusters/"+name+"/snapshot") {
			t.Errorf("the list offers what cannot be done with %s", name)
		}
		c.get("/").doesNotSay("/clusters/"+name+"/modify", "/clusters/"+name+"/snapshot")
		c.get("/clusters/" + name + "/modify").is(http.StatusConflict).says("never came up and its nodes are gone. It can only be deleted.")
		c.post("/clusters/"+name+"/modify", "description", "other").is(http.StatusConflict).says("It can only be deleted.")
		if got := c.find(name).Description; got != "" {
			t.Errorf("%s was modified: %q", name, got)
		}
		c.get("/clusters/" + name + "/snapshot").is(http.StatusOK).says("there is nothing to take a snapshot of")
		c.get("/clusters/" + name + "/delete").is(http.StatusOK).says("the nodes are gone already").doesNotSay("with everything in memory")
	}
	c.get("/").says("Yes: the cluster can be restored.", "2 clusters could not be created or restored.").doesNotSay("behind schedule", "wait for the first snapshot")

	c.get("/clusters/copy").says("The snapshot first is untouched and can be restored again.")
	c.get("/clusters/plain").doesNotSay("The snapshot")
	_, err = c.db.Verifications.Request(t.Context(), "first", "admin")
	c.check(err)
	snapshot, err := c.db.Snapshots.Get(t.Context(), "first")
	c.check(err)
	c.check(c.db.Settle.Verify(t.Context(), c.claim(), snapshot, "Part 1 is damaged."))
	c.get("/clusters/copy").says("The snapshot first cannot be restored as it is now").doesNotSay("untouched")
	c.check(c.db.Snapshots.Delete(t.Context(), []string{"first"}, "admin"))
	c.check(c.db.Settle.SnapshotDeletion(t.Context(), c.claim()))
	c.get("/clusters/copy").says("The snapshot first no longer exists.", "Restored from").doesNotSay(`href="/snapshots/first"`)
}

func TestAClusterSaysWhichSnapshotItCameFrom(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "first")
	c.launch("copy", func(s *models.ClusterSpec) { s.Snapshot = "first" })
	c.get("/clusters/copy").says("Restored from", `href="/snapshots/first"`)
	c.get("/clusters/orders").doesNotSay("Restored from")
}

func TestAClusterThatWasStartedEmptySaysSoEverywhere(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	orders := c.launch("orders")
	c.backUp("orders", "first")
	c.check(c.db.Losses.Emptied(t.Context(), orders.ID, "orders-001"))
	for _, page := range []string{"/", "/clusters", "/clusters/orders"} {
		c.get(page).says("The cluster orders was started empty at 2026-11-22")
	}
	c.get("/").says("1 cluster has a notice").doesNotSay("Every schedule is kept.")
}
