package web

import (
	"net/http"
	"testing"

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
