package web

import (
	"fmt"
	"strings"
	"testing"

	"rekindle/models"
)

// measured is a node that was seen before, during and after.
func measured(name string, role models.Role, change ...func(*models.NodeImpact)) models.NodeImpact {
	n := models.NodeImpact{Name: name, Role: role, Forked: true, ForkMicros: 14_200, CopyOnWrite: 12_000_000}
	for i, phase := range []models.SamplePhase{models.PhaseBefore, models.PhaseDuring, models.PhaseDuring, models.PhaseAfter} {
		n.Samples = append(n.Samples, models.ImpactSample{At: int64(100 * (i + 1)), Phase: phase, Ping: []int64{200, 300, 2100, 250}[i], Rate: []float64{-1, 1234, 1234, 1300}[i], Memory: 40_000_000})
	}
	for _, f := range change {
		f(&n)
	}
	return n
}

func partOf(c *console, shard int, nodes ...models.NodeImpact) models.PartImpact {
	return models.PartImpact{Shard: shard, Since: c.clock.Now().UTC(), Begun: 150, Ended: 320, Nodes: nodes}
}

func TestARunSaysWhatItCostTheApplication(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	shop := c.launch("shop")
	c.backUp(shop.Name, "first")
	first, err := c.db.Snapshots.Get(t.Context(), "first")
	c.check(err)
	run, known, err := c.db.Runs.Maker(t.Context(), first)
	c.check(err)
	if !known {
		t.Fatal("nobody made it")
	}
	address := fmt.Sprintf("/runs/%d", run.ID)
	c.get(address).is(200).doesNotSay("What it cost the application")
	c.get("/snapshots/first").is(200).doesNotSay("What it cost the application")

	cost := "The fork took 14 ms; the replica shop-002 answered PING in 0.3 ms while it was read, at the slowest in 2.1 ms (in 0.2 ms before); copy-on-write needed 12 MB."
	calm := "The primary shop-001 answered PING in 0.3 ms while it was read"
	replica, primary := measured("shop-002", models.RoleReplica), measured("shop-001", models.RolePrimary)
	c.check(c.db.Impacts.Keep(t.Context(), run, models.Impact{Parts: []models.PartImpact{partOf(c, 1, replica, primary)}}))
	page := c.get(address).is(200).says("What it cost the application", cost, calm, "1,234", "40 MB", "While it was read").doesNotSay("Behind its primary", "Blocked clients", "Part 1", "were measured")
	if n := strings.Count(page.raw, `<figure class="plot"`); n != 5 { // three of the node that served, two of its primary
		t.Errorf("%d plots", n)
	}
	if n := strings.Count(page.raw, `class="plot-span"`); n != 5 {
		t.Errorf("%d plots mark the reading", n)
	}
	if got := c.get("/snapshots/first").is(200).facts()["What it cost the application"]; !strings.HasPrefix(got, cost+" "+calm) || !strings.HasSuffix(got, "All figures") {
		t.Errorf("the snapshot's page says %q", got)
	}

	for name, test := range map[string]struct {
		part models.PartImpact
		says []string
		not  string
	}{
		"by key": {func() models.PartImpact {
			p := partOf(c, 1, measured("shop-001", models.RolePrimary, func(n *models.NodeImpact) { n.Forked = false }))
			p.ByKey = true
			return p
		}(), []string{"It was read key by key, so nothing was forked; the primary shop-001 answered PING in 0.3 ms"}, "The fork took"},
		"fork unknown": {partOf(c, 1, measured("shop-001", models.RolePrimary, func(n *models.NodeImpact) { n.Forked = false })), []string{"How long the fork took is not known; the primary shop-001"}, "copy-on-write"},
		"behind":       {partOf(c, 1, measured("shop-002", models.RoleReplica, func(n *models.NodeImpact) { n.Samples[1].Lag = 5000 })), []string{"Behind its primary", "5 KB"}, "key by key"},
		"blocked":      {partOf(c, 1, measured("shop-002", models.RoleReplica, func(n *models.NodeImpact) { n.Samples[1].Waits = 1007 })), []string{"Blocked clients", "1,007"}, "Behind its primary"},
		"refused": {partOf(c, 1, models.NodeImpact{Name: "shop-002", Note: "Not measured: the console's user lacks the right to PING or INFO."}, primary),
			[]string{"shop-002 was not measured: the console's user lacks the right to PING or INFO.", calm}, "The fork took"},
		"cut off": {partOf(c, 1, measured("shop-002", models.RoleReplica, func(n *models.NodeImpact) {
			n.Samples, n.Note = n.Samples[:1], "Not measured to the end: the node broke off the connection, or did not answer in time."
		})), []string{"answered PING in 0.2 ms before it was read", "shop-002 was not measured to the end"}, "while it was read, at"},
	} {
		c.check(c.db.Impacts.Keep(t.Context(), run, models.Impact{Parts: []models.PartImpact{test.part}}))
		t.Log(name)
		c.get(address).is(200).says(test.says...).doesNotSay(test.not)
	}
}

func TestEachPartsCostIsAnAddressAway(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	c.backUp(c.launch("shop").Name, "first")
	first, err := c.db.Snapshots.Get(t.Context(), "first")
	c.check(err)
	run, _, err := c.db.Runs.Maker(t.Context(), first)
	c.check(err)
	slow := func(n *models.NodeImpact) { n.ForkMicros = 90_000 }
	c.check(c.db.Impacts.Keep(t.Context(), run, models.Impact{More: 4, Parts: []models.PartImpact{
		partOf(c, 1, measured("shop-001", models.RolePrimary)), partOf(c, 2, measured("shop-002", models.RolePrimary, slow)), {Shard: 3, Nodes: []models.NodeImpact{{Name: "shop-003", Note: "Not measured: no connection for that could be made."}}}}}))
	address := fmt.Sprintf("/runs/%d", run.ID)
	for query, want := range map[string]string{"": "The fork took 90 ms", "?part=1": "The fork took 14 ms", "?part=2": "The fork took 90 ms", "?part=3": "shop-003 was not measured", "?part=9": "The fork took 90 ms", "?part=x": "The fork took 90 ms"} {
		c.get(address+query).is(200).says(want, "Part 1: shop-001", "Part 2: shop-002", "Part 3: shop-003", "4 other parts")
	}
	c.get("/snapshots/first").says("The fork took 90 ms")
}

// A final snapshot is taken by the run that deletes its cluster.
func TestAFinalSnapshotSaysWhatItCost(t *testing.T) {
	t.Parallel()
	c := signedIn(t)
	shop := c.launch("shop")
	c.check(c.db.Clusters.Delete(t.Context(), shop.Name, models.DeleteSpec{FinalSnapshot: "last", RequestedBy: "admin"}))
	run := c.claim()
	c.check(c.db.Impacts.Keep(t.Context(), run, models.Impact{Parts: []models.PartImpact{partOf(c, 1, measured("shop-002", models.RoleReplica))}}))
	started := c.clock.Now().UTC()
	c.check(c.db.Settle.Snapshot(t.Context(), run, models.Snapshot{Name: "last", RDBVersion: 10, Bytes: 1 << 20, Stored: 1 << 20, Keys: 7, StartedAt: &started}))
	c.check(c.db.Settle.ClusterDeletion(t.Context(), run))
	if got := c.get("/snapshots/last").is(200).facts()["What it cost the application"]; !strings.HasPrefix(got, "The fork took 14 ms; the replica shop-002 answered PING") {
		t.Errorf("the snapshot's page says %q", got)
	}
	c.get(fmt.Sprintf("/runs/%d", run.ID)).is(200).says("What it cost the application", "The fork took 14 ms")
}
