package web

import (
	"net/http"
	"testing"
	"time"

	"rekindle/models"
)

func TestWhatAFileDeclaresIsNotChangedInTheBrowser(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.attach()
	c.get("/clusters/shop").says(`href="/clusters/shop/modify"`, `href="/clusters/shop/access"`, `href="/clusters/shop/delete"`).doesNotSay("From file")
	c.check(c.db.Attachments.Declare(t.Context(), "shop", "/etc/clusters.yaml"))
	before := c.find("shop")

	c.get("/clusters").says("Attached", "from file").doesNotSay(`href="/clusters/shop/modify"`, `href="/clusters/shop/delete"`)
	c.get("/clusters/shop").says("From file", "/etc/clusters.yaml", "Take snapshot").
		doesNotSay(`href="/clusters/shop/modify"`, `href="/clusters/shop/access"`, `href="/clusters/shop/delete"`, `href="/clusters/shop/drills"`, "top-secret")
	const why = "The cluster shop comes from the clusters file /etc/clusters.yaml: change it there, and send the console SIGHUP."
	for _, page := range []string{"modify", "access", "delete", "drills"} {
		c.get("/clusters/shop/" + page).is(http.StatusConflict).says(why)
	}
	c.post("/clusters/shop/modify", "description", "Carts", "backups", "on", "retention", "3", "window_preference", "none").is(http.StatusConflict).says(why)
	c.post("/clusters/shop/access", "addresses", "10.0.0.9", "password", "typed").is(http.StatusConflict).says(why)
	c.post("/clusters/shop/access", "addresses", "10.0.0.9", "action", "test").is(http.StatusConflict).says(why)
	c.post("/clusters/shop/drills", "every", "weekly", "window_start", "03:00", "window_length", "60").is(http.StatusConflict).says(why)
	if err := c.db.Drills.SavePlan(t.Context(), "shop", models.DrillPlan{Every: models.Weekly, Window: models.Window{Start: 180, Length: 60}}, "admin"); !models.HasCode(err, models.CodeClusterState) {
		t.Errorf("its drills were changed: %v", err)
	}
	c.post("/clusters/shop/delete", "confirm", "shop").is(http.StatusConflict).says(why)
	c.get("/clusters/-/delete?name=shop").is(http.StatusOK).says(why)
	c.post("/clusters/-/delete", "name", "shop", "confirm", "delete 1 cluster").is(http.StatusUnprocessableEntity).says("None of the chosen clusters can be deleted just now")
	if now := c.find("shop"); now.Status != models.ClusterAvailable || !now.UpdatedAt.Equal(before.UpdatedAt) || now.Password != before.Password {
		t.Errorf("it was changed: %+v", now)
	}
	c.post("/clusters/shop/snapshot", "name", "by-hand").redirects("/clusters/shop")
}

func TestWhatOfTheClustersFileIsOutstandingIsListed(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.get("/clusters").doesNotSay("not attached yet", "has mistakes")
	c.attach()
	long := c.clock.Now().Add(-3 * time.Hour)
	tell := func(d models.Declared) { c.jobs.change(func(a *answers) { a.declared = d }) }
	away := models.Outstanding{Name: "away", Since: long, Tried: c.clock.Now(), Reason: "Nothing listens at 10.0.0.5:6379. Check the address."}
	tell(models.Declared{File: "/etc/clusters.yaml", Outstanding: []models.Outstanding{away}})
	c.get("/clusters").says("From /etc/clusters.yaml, not attached yet: 1 cluster.", "away:", "Nothing listens at 10.0.0.5:6379. Check the address.", "Tried since", "3 hours ago", "and last").doesNotSay("has mistakes", `href="/clusters/away"`)
	shop := models.Outstanding{Name: "shop", Attached: true, Since: long, Tried: c.clock.Now(), Reason: "The nodes require a password."}
	tell(models.Declared{File: "/etc/clusters.yaml", Refused: "clusters.yaml:3: no.", Outstanding: []models.Outstanding{away, shop}})
	c.get("/clusters").says("not attached yet or not yet as it says: 2 clusters.", "The nodes require a password.", "The clusters file has mistakes", "clusters.yaml:3: no.")
	tell(models.Declared{File: "/etc/clusters.yaml", Outstanding: []models.Outstanding{shop}})
	c.get("/clusters").says("Not yet as /etc/clusters.yaml says: 1 cluster.")
}
