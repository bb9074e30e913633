package web

import (
	"net/http"
	"testing"

	"rekindle/models"
)

func TestASnapshotIsRestoredIntoAnAttachedClusterFromItsPage(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "good")
	c.get("/snapshots/good").says(`href="/snapshots/good/into"`, "Restore into an existing cluster")
	c.get("/snapshots").says(`href="/snapshots/good/into"`)
	c.get("/snapshots/good/into").is(http.StatusOK).says("No cluster is attached.", `href="/clusters/-/attach"`).doesNotSay(`name="existing"`)

	c.attach() // it holds keys
	c.get("/snapshots/good/into").says("Attached cluster", `<option value="shop"`, "Continue").doesNotSay(`<option value="orders"`, `name="existing"`)
	c.get("/snapshots/good/into?cluster=none").is(http.StatusUnprocessableEntity).says("There is no cluster none.").hasErrorAt("cluster")
	c.get("/snapshots/good/into?cluster=orders").says("The cluster orders was launched here. Restore the snapshot into a new cluster instead.").hasErrorAt("cluster")
	c.get("/snapshots/good/into?cluster=shop").says("Keys there now", "1,234", "a primary with 1 replica", "Keep them", "Replace them by the snapshot", "Delete all of them first",
		"Take a snapshot of the cluster first", "shop-before-restore-", "To confirm, type", "Restore into shop").doesNotSay(`value="none"`, `name="existing" value="keep" checked`, `name="existing" value="flush" checked`)

	into := func(pairs ...string) answer {
		return c.post("/snapshots/good/into", append([]string{"cluster", "shop"}, pairs...)...)
	}
	into("safety", "on", "safety_name", "x").is(http.StatusUnprocessableEntity).says("Choose what becomes of the keys").hasErrorAt("confirm")
	into("existing", "flush", "confirm", "orders").is(http.StatusUnprocessableEntity).says("Type the name shop to confirm", `value="flush" checked`).hasErrorAt("confirm")
	into("existing", "flush", "confirm", "shop", "safety", "on", "safety_name", " ").is(http.StatusUnprocessableEntity).says("Enter a name for the snapshot").hasErrorAt("safety_name")
	into("existing", "flush", "confirm", "shop", "safety", "on", "safety_name", "good").is(http.StatusUnprocessableEntity).hasErrorAt("safety_name")
	if cluster, snapshot := c.find("shop"), c.snapshotNow("good"); cluster.Status != models.ClusterAvailable || snapshot.Status != models.SnapshotAvailable {
		t.Errorf("after what was refused the cluster is %s, the snapshot %s", cluster.Status, snapshot.Status)
	}

	into("existing", "replace", "deadlines", "never", "confirm", "shop").is(http.StatusUnprocessableEntity).says("Choose when keys with a deadline expire.")
	into("existing", "replace", "deadlines", "shift", "confirm", "shop", "safety", "on", "safety_name", "Before").redirects("/clusters/shop")
	c.get("/clusters/shop").says("Restore good into the existing cluster shop", "Snapshot before of shop")
	into("existing", "replace", "confirm", "shop").is(http.StatusUnprocessableEntity).says("The cluster shop is snapshotting; a snapshot can be restored into it when it is available.")
	c.get("/snapshots/good/delete").says("None of the chosen snapshots can be deleted just now.") // it is held
	if first := c.claim(); first.Kind != models.RunSnapshot {
		t.Errorf("first there is a %s", first.Kind)
	}
	fill := c.claim()
	if args, err := models.Args[models.FillArgs](fill); err != nil || args.Existing != models.ExistingReplace || args.Safety != "before" || args.Deadlines != models.DeadlinesShifted || fill.SnapshotName != "good" {
		t.Errorf("%+v %+v (%v)", fill, args, err)
	}
}

func TestAnEmptyClusterIsFilledWithoutFurtherQuestions(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "good")
	c.backUp("orders", "fields")
	c.jobs.change(func(a *answers) {
		a.examine = func(models.AttachSpec) (models.Examination, error) {
			e := examinedAt("10.0.0.1:6379", "10.0.0.2:6379")
			for i := range e.Shards[0].Nodes {
				e.Shards[0].Nodes[i].Keys = 0
			}
			return e, nil
		}
	})
	c.attach()
	c.get("/snapshots/good/into?cluster=shop").says("The cluster is empty, so nothing can be lost.", `name="existing" value="none"`).doesNotSay("To confirm", "safety", `name="deadlines"`)
	c.get("/snapshots/fields/into?cluster=shop").says("Fields of hashes with a deadline", `name="deadlines" value="shift"`)
	c.post("/snapshots/good/into", "cluster", "shop", "existing", "none").redirects("/clusters/shop")
	if run := c.claim(); run.Kind != models.RunFill || run.ClusterName != "shop" {
		t.Errorf("%+v", run)
	}
	if cluster := c.find("shop"); cluster.Status != models.ClusterModifying {
		t.Errorf("the cluster is %s", cluster.Status)
	}
}

func (c *console) snapshotNow(name string) models.Snapshot {
	c.t.Helper()
	snapshot, err := c.db.Snapshots.Get(c.t.Context(), name)
	c.check(err)
	return snapshot
}
