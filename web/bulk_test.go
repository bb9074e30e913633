package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"rekindle/models"
)

func TestManyClustersAreDeletedAtOnceAfterAPhrase(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	for _, name := range []string{"alpha", "beta", "gamma"} {
		c.launch(name)
	}
	c.launch("sessions", cache)
	c.backUp("alpha", "kept")
	_, err := c.db.Snapshots.Request(t.Context(), "gamma", "busy", false, "admin")
	c.check(err)
	status := func(name string) models.ClusterStatus { return c.find(name).Status }

	c.get("/clusters").says(`name="name" value="alpha"`, "Take snapshot…", "Delete…", `formaction="/clusters/-/snapshot"`, "data-select-all")
	c.get("/clusters/-/delete").redirects("/clusters")
	c.get("/clusters/-/delete?q=a&name=").redirects("/clusters?q=a")
	c.get("/clusters/-/delete?name=alpha&name=gamma&name=nobody").is(http.StatusOK).says("What goes", "What stays", "1 manual snapshot of them", "The cluster gamma is snapshotting; it can be deleted when that is done.",
		"that can be restored", "There is no cluster nobody.", "aws elasticache delete-replication-group", "--final-snapshot-identifier", "Delete this cluster").
		hasTicked("final")
	c.get("/clusters/-/delete?name=alpha&confirm=").doesNotSay("--final-snapshot-identifier", "checked") // the box was cleared
	c.get("/clusters/-/delete?all=on&engine=redis").says("delete 2 clusters", "the data of 1 cluster cannot be brought back", `name="engine" value="redis"`)
	c.get("/clusters/-/delete?all=on").says("delete 3 clusters", "Take a final snapshot first of 2 clusters", "none can be taken of the rest", "delete-cache-cluster")
	c.htmx(http.MethodGet, "/clusters/-/delete?name=alpha&name=beta&name=sessions&final=on", nil).
		says("for id in alpha beta; do", `--final-snapshot-identifier "$id"-final-2026-11-22-12-00-14`, "for id in sessions; do", `--cache-cluster-id "$id"`)
	c.get("/clusters/-/delete?name=alpha&confirm=alpha").doesNotSay(`value="alpha" autocomplete`)

	for _, confirm := range []string{"", "alpha", "delete 3 clusters"} {
		c.post("/clusters/-/delete", "name", "alpha", "name", "beta", "confirm", confirm).is(http.StatusUnprocessableEntity).says("Type “delete 2 clusters”").hasErrorAt("confirm")
	}
	c.post("/clusters/-/delete", "all", "on", "confirm", "delete 3 clusters").redirects("/clusters") // only those that the page named
	c.post("/clusters/-/delete", "name", "gamma", "confirm", "gamma").is(http.StatusUnprocessableEntity).says("None of the chosen clusters can be deleted just now.")
	if status("alpha") != models.ClusterAvailable || c.jobs.woken.Load() != 0 {
		t.Fatal("it went without being confirmed")
	}
	c.post("/clusters/-/delete", "name", "alpha", "name", "beta", "name", "sessions", "final", "on", "q", "a", "confirm", "delete 3 clusters").redirects("/clusters?q=a")
	c.get("/clusters").says("3 clusters: being deleted.")
	for _, name := range []string{"alpha", "beta", "sessions"} {
		if status(name) != models.ClusterDeleting {
			t.Errorf("%s is %s", name, status(name))
		}
	}
	finals := map[string]string{}
	runs, err := c.db.Runs.Active(t.Context())
	c.check(err)
	for _, run := range runs {
		if args, err := models.Args[models.DeleteArgs](run); err == nil {
			finals[run.ClusterName] = args.FinalSnapshot
		}
	}
	if len(finals) != 3 || finals["alpha"] != "alpha-final-2026-11-22-12-00-14" || finals["sessions"] != "" {
		t.Errorf("final snapshots: %v", finals)
	}
}

func TestSnapshotsOfManyClustersAreTakenAtOnce(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("alpha")
	c.launch("beta")
	c.launch("tiny", func(s *models.ClusterSpec) { s.NodeType, s.Retention = "cache.t1.micro", 0 })
	c.launch("sessions", cache)

	c.get("/clusters/-/snapshot").redirects("/clusters")
	c.get("/clusters/-/snapshot?all=on").is(http.StatusOK).says("Take 2 snapshots", "The cluster tiny has the node type cache.t1.micro", "The cluster sessions runs memcached", `value="2026-11-22-12-00-00"`,
		"for id in alpha beta; do", `--snapshot-name "$id"-2026-11-22-12-00-00`)
	c.htmx(http.MethodGet, "/clusters/-/snapshot?name=alpha&suffix=before-it", nil).says(`--snapshot-name "$id"-before-it`)
	c.get("/clusters/-/snapshot?name=tiny").says("No snapshot can be taken of any of the chosen clusters just now.")
	for suffix, says := range map[string]string{"": "Enter the end of the snapshots' names.", "a--b": "two hyphens in a row", "a b": "may contain only letters"} {
		c.post("/clusters/-/snapshot", "name", "alpha", "suffix", suffix).is(http.StatusUnprocessableEntity).says(says).hasErrorAt("suffix")
	}
	c.post("/clusters/-/snapshot", "name", "tiny", "suffix", "x").is(http.StatusUnprocessableEntity)
	c.backUp("beta", "beta-before-it")
	c.post("/clusters/-/snapshot", "name", "alpha", "name", "beta", "name", "tiny", "suffix", "before-it").redirects("/clusters")
	c.get("/clusters").says("1 cluster: a snapshot is being taken of each.", "Refused for 1 cluster: There is already a snapshot beta-before-it")
	if run := c.claim(); run.Kind != models.RunSnapshot || run.SnapshotName != "alpha-before-it" || run.RequestedBy != "admin" {
		t.Errorf("%+v", run)
	}
}

func TestManySnapshotsAreVerifiedCopiedAndExported(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.launch("shop")
	c.backUp("orders", "first")
	c.clock.Advance(3 * time.Hour)
	c.backUp("orders", "second")
	c.backUp("shop", "third")
	_, err := c.db.Snapshots.Request(t.Context(), "shop", "unfinished", false, "admin")
	c.check(err)
	c.get("/snapshots").says(`formaction="/snapshots/-/verify"`, `formaction="/snapshots/-/copy"`, `formaction="/snapshots/-/export"`, "Delete…")
	for _, kind := range []string{"verify", "copy", "export"} {
		c.get("/snapshots/-/" + kind + "?cluster=orders").redirects("/snapshots?cluster=orders")
		page := c.get("/snapshots/-/"+kind+"?all=on").is(http.StatusOK).says("first", "second", "third", "3 hours ago", "Together 3 snapshots", "944 MB",
			"The snapshot unfinished is creating; only an available one can be")
		if strings.Contains(page.raw, `value="unfinished"`) {
			t.Errorf("%s: one that is left alone is carried along", kind)
		}
		c.get("/snapshots/-/"+kind+"?name=unfinished&name=gone").says("Nothing can be done to any of the chosen snapshots just now.", "There is no snapshot gone")
		c.post("/snapshots/-/"+kind, "name", "unfinished", "suffix", "copy", "store", "dir:/srv/elsewhere").is(http.StatusUnprocessableEntity)
		c.post("/snapshots/-/"+kind, "all", "on").redirects("/snapshots") // only what a page named
	}
	c.get("/snapshots/-/delete?all=on").says("3 hours ago", "315 MB", "Together 3 snapshots", "The snapshot unfinished is creating and cannot be deleted now.")

	c.post("/snapshots/-/verify", "name", "first", "name", "third", "q", "r").redirects("/snapshots?q=r")
	c.get("/snapshots").says("2 snapshots: being verified.")
	c.post("/snapshots/-/verify", "name", "first", "name", "second").redirects("/snapshots")
	c.get("/snapshots").says("1 snapshot: being verified.", "Refused for 1 snapshot: The snapshot first is already being verified.")

	c.backUp("orders", "first-kept")
	c.get("/snapshots/-/copy?name=first&name=second&suffix=kept").says("second-kept", "There is already a snapshot first-kept.", "Copy 1 snapshot")
	c.post("/snapshots/-/copy", "name", "first", "suffix", "").is(http.StatusUnprocessableEntity).says("first").hasErrorAt("suffix")
	c.post("/snapshots/-/copy", "name", "first", "suffix", "kept", "store", "nowhere").is(http.StatusUnprocessableEntity).hasErrorAt("store")
	c.post("/snapshots/-/copy", "name", "first", "name", "second", "suffix", "late").redirects("/snapshots")
	c.get("/snapshots").says("2 snapshots: being copied.", "first-late", "second-late")

	c.post("/snapshots/-/export", "name", "first").is(http.StatusUnprocessableEntity).says("Say where the files are to go").hasErrorAt("store")
	c.get("/snapshots/-/export?name=first").says("first-0001.rdb")
	c.post("/snapshots/-/export", "name", "first", "name", "third", "store", "dir:/srv/elsewhere").redirects("/snapshots")
	c.get("/snapshots").says("2 snapshots: being exported.")
}

// Where nothing was kept of any snapshot, there are no columns about what was kept.
func TestColumnsOfNothingAreLeftOut(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	c.backUp("orders", "good")
	_, err := c.db.Snapshots.Request(t.Context(), "orders", "bad", false, "admin")
	c.check(err)
	c.check(c.db.Settle.Fail(t.Context(), c.claim(), models.RunFailed, "The disk is full."))
	c.get("/snapshots").says("Stored", "Verified", "nothing was kept", "315 MB").doesNotSay("Nothing selected", "nothing to verify")
	c.get("/snapshots?status=failed").says("bad").doesNotSay("Stored", "Verified", "nothing was kept")
	c.get("/snapshots?status=available").says("Stored", "Verified").doesNotSay("nothing was kept")
}
