package web

import (
	"net/http"
	"testing"
	"time"

	"rekindle/models"
)

func TestAMomentIsAskedForAsANewCluster(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.launch("orders")
	page := "/clusters/orders/recover"
	c.backUp("orders", "s1")
	c.clock.Advance(2 * time.Minute)
	moment := c.clock.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	typed := moment.Format(time.DateTime)
	source := c.find("orders")
	c.get(page).says(`name="into" value="snapshot" checked`, `name="id" value="orders-restored"`, `<option value="`+source.NodeType+`" selected`)
	c.get(page+"?moment="+moment.Format(time.RFC3339)+"&into=cluster&id=again&replicas=0&node_type=cache.t4g.medium").says(`name="into" value="cluster" checked`, `name="id" value="again"`,
		"--into again --node-type cache.t4g.medium", "--as orders-recovered-", "the fastest way back")

	form := func(change ...string) []string {
		all := map[string]string{"moment": typed, "into": "cluster", "id": "again", "node_type": source.NodeType, "replicas": "0"}
		for i := 0; i+1 < len(change); i += 2 {
			all[change[i]] = change[i+1]
		}
		var pairs []string
		for name, value := range all {
			pairs = append(pairs, name, value)
		}
		return pairs
	}
	for what, test := range map[string]struct{ field, value, says string }{
		"nothing":        {"moment", "", "Say to which moment"},
		"no moment":      {"moment", "yesterday", "Write it like 2026-11-27 10:41:07"},
		"the future":     {"moment", c.clock.Now().Add(time.Hour).UTC().Format(time.DateTime), "That moment is still to come"},
		"a bad name":     {"id", "9", "cluster id"},
		"a taken name":   {"id", "orders", "There is already a cluster orders."},
		"a damaged link": {"place", "1:x", "The link to this page is damaged."},
		"no number":      {"replicas", "all", "must be a whole number"},
		"too many":       {"replicas", "6", "0 to 5 replicas, not 6"},
		"no node type":   {"node_type", "cache.none", "There is no node type"},
	} {
		answer := c.post(page, form(test.field, test.value)...).is(http.StatusUnprocessableEntity)
		if answer.says(test.says, `value="cluster" checked`); t.Failed() {
			t.Fatal(what)
		}
	}
	c.jobs.change(func(a *answers) { a.available = 700 << 20 }) // the snapshot has 400 MB in memory
	c.post(page, form("replicas", "1")...).is(http.StatusUnprocessableEntity).says("The data needs 839 MB on all nodes together, and this host has 734 MB free.", "tick the box").hasErrorAt("override")
	c.post(page, form("replicas", "1", "override", "on", "id", "9")...).is(http.StatusUnprocessableEntity).says(`name="override" value="on" checked`).doesNotSay("The data needs")
	c.jobs.change(func(a *answers) { a.available = 64 << 30 })
	c.get(page).doesNotSay(`name="override"`)
	c.post(page, form("place", "1:00000000000000aa:42", "replicas", "1")...).redirects("/clusters/again")
	again := c.find("again")
	if again.Status != models.ClusterCreating || again.Replicas != 1 || again.NodeType != source.NodeType || again.EngineName() != source.EngineName() || again.AuthEnabled() != source.AuthEnabled() || again.Password == source.Password && source.Password != "" {
		t.Errorf("%+v", again)
	}
	c.get("/clusters/again").says("Restore orders as it was at "+typed+" UTC into again", "Waiting for its turn")
	run := c.claim()
	args, err := models.Args[models.StraightArgs](run)
	if err != nil || run.Kind != models.RunStraight || !args.Moment.Equal(moment) || args.Cluster != "orders" || len(args.Places) != 1 || args.Places[0] != (models.RecoverFrom{Shard: 1, Run: "00000000000000aa", Offset: 42}) {
		t.Errorf("%s %+v, %v", run.Kind, args, err)
	}
	c.check(c.db.Settle.Fail(t.Context(), run, models.RunFailed, "The journal has a gap."))
	c.get("/clusters/again").says("The journal has a gap.")
	c.get("/events?severity=error").says("The cluster again could not be restored straight from orders as it was at " + typed + " UTC. The journal has a gap.")
	c.get("/runs?kind=straight").says("Restore orders as it was at "+typed+" UTC into again", "Try again", `href="`+page+`?into=cluster&moment=`)

	c.post(page, form("id", "other")...).redirects("/clusters/other")
	run = c.claim()
	snapshot, err := c.db.Snapshots.Get(t.Context(), "s1")
	c.check(err)
	_, err = c.db.Recoveries.BeginStraight(t.Context(), run, c.find("other"), snapshot)
	c.check(err)
	c.get("/snapshots/s1").says("Restore orders as it was at " + typed + " UTC into other")
	c.check(c.db.Settle.Cluster(t.Context(), run, "The cluster other was restored straight from orders."))
	c.get("/clusters/other").says("Restored from", "and the journal behind it, up to "+typed+" UTC")
}
