package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestARestoreSaysHowLongItWillTakeAndWhatToDoAfterwards(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	source := c.launch("orders")
	c.backUp("orders", "first")
	c.get("/snapshots/first/restore").is(http.StatusOK).says("Expected time", "nothing was restored here so far")
	c.get("/clusters/-/new").doesNotSay("Expected time")

	_, err := c.db.Clusters.Create(t.Context(), models.ClusterSpec{Name: "copy", Engine: models.Engine{Name: "redis", Version: "7.0.15"}, NodeType: "cache.t4g.micro",
		Replicas: 0, Auth: models.AuthGenerate, Snapshot: "first", RequestedBy: "admin"})
	c.check(err)
	run := c.claim()
	c.clock.Advance(12 * time.Second)
	c.check(c.db.Settle.Cluster(t.Context(), run, "It is there."))
	restored := c.find("copy")
	c.get("/clusters/copy").says("What now", `href="/snapshots/first"`, restored.Nodes[0].Address(), "instead of", source.Nodes[0].Address(), `which is still <a href="/clusters/orders">orders</a>`, "REDIS_URL=redis://:PASSWORD@", "Examples for clients, and its own password, are", "Nothing backs it up so far")
	c.get("/clusters/orders").doesNotSay("What now")

	c.get("/snapshots/first/restore").says("about 12 s", "as 1 restore of about this size took here")
	c.postForm("/snapshots/first/summary", with(good, "id", "other", "copies", "2", "replicas", "0")).says("about 24 s")

	c.post("/clusters/orders/delete", "confirm", "orders").redirects("/clusters")
	c.check(c.db.Settle.ClusterDeletion(t.Context(), c.claim()))
	if page := c.get("/clusters/copy").says("What now").body; strings.Contains(page, "instead of") {
		t.Error("it names a cluster that is gone")
	}
	c.clock.Advance(24 * time.Hour)
	c.signIn()
	c.get("/clusters/copy").doesNotSay("What now")
}
