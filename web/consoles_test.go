package web

import (
	"testing"
	"time"

	"rekindle/models"
)

func TestConsolesThatShareTheCatalogAreListed(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("customers")
	c.get("/settings/catalog").doesNotSay("Console on")
	c.get("/settings/catalog").says("Rebuild the catalog")

	other, err := c.db.Owners.Enroll(t.Context(), "there", time.Minute)
	c.check(err)
	c.get("/settings/catalog").says("Console on", "Its clusters", "This one", "Last heard from").doesNotSay("Away")
	c.check(c.db.Owners.Leave(t.Context(), other.ID))
	c.get("/settings/catalog").doesNotSay("Console on")

	// Its own host goes away, as another console sees it.
	c.check(c.db.Owners.Leave(t.Context(), c.jobs.owner))
	other, err = c.db.Owners.Enroll(t.Context(), "there", time.Minute)
	c.check(err)
	c.jobs.owner = other.ID
	c.get("/settings/catalog").says("a host that is away", "Away", "longer ago than its lease")
	_, err = c.db.Snapshots.Request(t.Context(), "orders", "s1", false, "admin")
	c.check(err)
	for _, page := range []string{"/", "/snapshots/s1", "/clusters/orders"} {
		c.get(page).says("Waiting for the console on its nodes' host, which is away, since").doesNotSay("Waiting for its turn")
	}
	c.get("/runs").says("waiting for the console on its host, which is away").doesNotSay("waiting for its turn")
	c.jobs.source = func(models.Cluster) (models.SnapshotSource, error) {
		return models.SnapshotSource{Elsewhere: true, Fits: true}, nil
	}
	c.get("/clusters/customers/snapshot").says("Its nodes are on the host of another console.").doesNotSay("there is no healthy replica")
}
